using Qaic.Simulation;

namespace Qaic.Tests.Simulation;

[TestClass]
public sealed class WorkerThreadsTests
{
    [TestMethod]
    public void Where_no_thread_can_be_started_the_work_is_done_all_the_same()
    {
        using CountdownEvent done = new(10);
        WorkerThreads<object> threads = new("none", 4, _ => done.Signal(), static _ => throw new InsufficientMemoryException());
        for (int i = 0; i < 10; i++)
        {
            threads.Schedule(new object());
        }

        Assert.IsTrue(done.Wait(TimeSpan.FromSeconds(30)), $"{done.CurrentCount} items were lost.");
        threads.Dispose();
        threads.Join();
    }

    [TestMethod]
    public void Where_no_further_thread_can_be_started_the_others_do_its_work()
    {
        int started = 0;
        using ManualResetEventSlim inside = new(), leave = new();
        using CountdownEvent done = new(3);
        string?[] names = new string?[3];
        WorkerThreads<object> threads = new(
            "the only one",
            4,
            item =>
            {
                inside.Set();
                leave.Wait();
                names[(int)item] = Thread.CurrentThread.Name;
                done.Signal();
            },
            thread =>
            {
                if (++started > 1)
                {
                    throw new InsufficientMemoryException();
                }

                thread.Start();
            });
        threads.Schedule(0);
        Assert.IsTrue(inside.Wait(TimeSpan.FromSeconds(30)));
        threads.Schedule(1);
        threads.Schedule(2);
        leave.Set();
        Assert.IsTrue(done.Wait(TimeSpan.FromSeconds(30)), $"{done.CurrentCount} items were lost.");
        Assert.IsTrue(started > 1);
        CollectionAssert.AreEqual(new[] { "the only one", "the only one", "the only one" }, names);
        threads.Dispose();
        threads.Join();
    }
}
