using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Tests.Sessions;

[TestClass]
public sealed class GarbageCollectionTests : SessionTest
{
    [TestMethod]
    public async Task No_byte_is_wrong_while_the_collector_moves_everything_all_the_time()
    {
        int count = Campaign.Size(everyDay: 60_000, campaign: 2_000_000);
        await using Session session = Open(new QaicOptions { DeviceIds = [0, 1], NumActivations = 2, SetSize = 4 });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        using var wanted = new SemaphoreSlim(0);
        var collector = new Thread(() =>
        {
            // As fast as it can, but not so often that nothing else happens.
            for (wanted.Wait(); !stop.IsCancellationRequested; wanted.Wait())
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
            }
        });
        collector.Start();
        try
        {
            await Parallel.ForAsync(0, 8, Cancel, async (caller, cancel) =>
            {
                for (int i = caller; i < count; i += 8)
                {
                    // New arrays, in the youngest generation, so that they move while the card works.
                    float[] y = new float[8];
                    if (i % 3 == 0)
                    {
                        session.Run<float, float>(Values(i), y);
                    }
                    else if (i % 3 == 1)
                    {
                        await session.RunAsync<float, float>(Values(i), y, cancel);
                    }
                    else
                    {
                        y = (await session.RunAsync(Input(i), cancel))["y"].ToArray<float>();
                    }

                    AssertAnswers(i, y);
                    if (i % 64 == caller && wanted.CurrentCount == 0)
                    {
                        wanted.Release();
                    }
                }
            });
        }
        finally
        {
            await stop.CancelAsync();
            wanted.Release();
            collector.Join();
        }
    }
}
