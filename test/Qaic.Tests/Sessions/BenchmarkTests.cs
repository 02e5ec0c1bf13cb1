using Qaic.Simulation;

namespace Qaic.Tests.Sessions;

[TestClass]
public sealed class BenchmarkTests : SessionTest
{
    [TestMethod]
    public void Forty_inferences_are_counted_by_default_with_the_batch_size()
    {
        using Session session = Open();
        BenchmarkResult result = session.RunBenchmark();
        Assert.AreEqual(40, result.InferencesCompleted);
        Assert.AreEqual(4, result.BatchSize);
        Assert.IsGreaterThan(TimeSpan.Zero, result.InferenceTime);
        Assert.AreEqual(40 / result.InferenceTime.TotalSeconds, result.InferenceRate, 1e-6 * result.InferenceRate);
        Assert.AreEqual(4 * result.InferenceRate, result.RowRate);
    }

    [TestMethod]
    [DataRow(1, 1, 1)]
    [DataRow(7, 3, 2)]
    [DataRow(1000, 2, 4)]
    public void Exactly_as_many_as_asked_for_are_counted(int count, int activations, int setSize)
    {
        using Session session = Open(new QaicOptions { NumActivations = activations, SetSize = setSize });
        Assert.AreEqual(count, session.RunBenchmark(count, cancellationToken: Cancel).InferencesCompleted);
    }

    [TestMethod]
    public void The_warm_up_runs_each_slot_once_and_is_not_counted()
    {
        using Session session = Open(new QaicOptions { DeviceIds = [0, 1], SetSize = 3 });

        // Delays nothing, but counts.
        using Fault count = Faults.DelayInference(TimeSpan.FromTicks(1));
        Assert.AreEqual(10, session.RunBenchmark(10, cancellationToken: Cancel).InferencesCompleted);
        Assert.AreEqual(10 + 6, count.Hits);
    }

    [TestMethod]
    public void A_time_limit_ends_it_instead_of_a_number()
    {
        using Session session = Open();
        BenchmarkResult result = session.RunBenchmark(infTime: TimeSpan.FromMilliseconds(30), cancellationToken: Cancel);
        Assert.IsGreaterThan(0, result.InferencesCompleted);
        Assert.IsGreaterThanOrEqualTo(TimeSpan.FromMilliseconds(30), result.InferenceTime);
    }

    [TestMethod]
    public void Both_limits_or_none_that_is_positive_are_refused()
    {
        using Session session = Open();
        var e = Assert.ThrowsExactly<ArgumentException>(() => session.RunBenchmark(10, TimeSpan.FromSeconds(1), cancellationToken: Cancel));
        StringAssert.Contains(e.Message, "num_inferences");
        StringAssert.Contains(e.Message, "inf_time");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => session.RunBenchmark(0, cancellationToken: Cancel));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => session.RunBenchmark(infTime: TimeSpan.Zero, cancellationToken: Cancel));
    }

    [TestMethod]
    public void Inputs_are_checked_as_for_a_run()
    {
        using Session session = Open();
        Assert.AreEqual(5, session.RunBenchmark(5, inputs: Input(1), cancellationToken: Cancel).InferencesCompleted);
        var e = Assert.ThrowsExactly<ArgumentException>(() => session.RunBenchmark(5, inputs: new Dictionary<string, Tensor>(), cancellationToken: Cancel));
        StringAssert.Contains(e.Message, "Input 'x' is missing");
    }

    [TestMethod]
    public void A_failed_inference_is_its_error_and_the_session_goes_on()
    {
        using Session session = Open();
        using (Faults.FailInference(occurrence: 20))
        {
            Assert.ThrowsExactly<QaicException>(() => session.RunBenchmark(100, cancellationToken: Cancel));
        }

        Assert.AreEqual(100, session.RunBenchmark(100, cancellationToken: Cancel).InferencesCompleted);
    }

    [TestMethod]
    public void Of_several_devices_one_may_fail_meanwhile()
    {
        using Session session = Open(new QaicOptions { DeviceIds = [0, 1] });
        using (Faults.FailInference(occurrence: 20))
        {
            Assert.AreEqual(200, session.RunBenchmark(200, cancellationToken: Cancel).InferencesCompleted);
        }
    }

    [TestMethod]
    public async Task A_reset_in_the_middle_is_an_error_and_no_smaller_number()
    {
        using Session session = Open();
        using Fault hold = Faults.HoldInference(10);
        Task<BenchmarkResult> run = Task.Run(() => session.RunBenchmark(1_000_000, cancellationToken: Cancel), Cancel);
        await hold.WhenHit.WaitAsync(Cancel);
        Task reset = Task.Run(session.Reset, Cancel);
        hold.Release();
        await reset;
        var e = await Assert.ThrowsExactlyAsync<QaicException>(() => run);
        Assert.AreEqual(QaicError.ProgramNotActive, e.Error);
    }

    [TestMethod]
    public async Task The_longest_time_ends_when_it_is_cancelled_and_not_before()
    {
        using Session session = Open();
        using var cancel = new CancellationTokenSource();
        using Fault hold = Faults.HoldInference(100);
        Task<BenchmarkResult> run = Task.Run(() => session.RunBenchmark(infTime: TimeSpan.MaxValue, cancellationToken: cancel.Token), Cancel);
        await hold.WhenHit.WaitAsync(Cancel);
        await cancel.CancelAsync();
        hold.Release();
        await Assert.ThrowsAsync<OperationCanceledException>(() => run);
    }

    [TestMethod]
    public async Task Cancelling_ends_it()
    {
        using Session session = Open();
        using var cancel = new CancellationTokenSource();
        using Fault hold = Faults.HoldInference(10);
        Task<BenchmarkResult> run = Task.Run(() => session.RunBenchmark(long.MaxValue, cancellationToken: cancel.Token), Cancel);
        await hold.WhenHit.WaitAsync(Cancel);
        await cancel.CancelAsync();
        hold.Release();
        await Assert.ThrowsAsync<OperationCanceledException>(() => run);
    }
}
