using Microsoft.Extensions.Logging;
using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Runtime;
using Qaic.Tests.Support;

namespace Qaic.Tests.Sessions;

/// <summary>Libraries that do not take back what they gave, and waits that never wait.</summary>
[TestClass]
public sealed class RefusedReleaseTests : SessionTest
{
    public static IEnumerable<object[]> Releases => FaultPlan.Functions.Where(f => f is "ReleaseContext" or "ReleaseQueue" or "CloseQpc" or "ReleaseProgram" or "ReleaseExecObj").Select(f => new object[] { f });

    [TestMethod, DynamicData(nameof(Releases))]
    public void A_release_that_is_refused_for_the_moment_is_tried_again(string function)
    {
        using (Session session = Open())
        {
            session.Setup();
            using (Fault fault = Faults.FailCall(function, (int)QStatus.Busy))
            {
                session.Reset();
                Assert.IsGreaterThan(0, fault.Hits);
                Assert.IsGreaterThan(0, QaicHandle.Live);
            }

            // Whatever is released next brings it about.
            AssertAnswers(3, session.Run(Input(3))["y"].AsSpan<float>());
            session.Reset();
        }

        QaicHandle.RetryRefused();
        Assert.AreEqual(0, QaicHandle.Live);
    }

    [TestMethod]
    public void What_is_refused_for_the_moment_keeps_its_parents_until_it_is_released()
    {
        using Session session = Open();
        session.Setup();
        int all = QaicHandle.Live;
        using (Faults.FailCall("ReleaseExecObj", (int)QStatus.Again))
        {
            session.Reset();
        }

        // Execution object, program, QPC and context are left; the queue is nobody's parent.
        Assert.AreEqual(all - 1, QaicHandle.Live);
        QaicHandle.RetryRefused();
        Assert.AreEqual(0, QaicHandle.Live);
        Assert.AreEqual(0, Machine.LiveObjects);
    }

    [TestMethod]
    public void A_release_that_is_refused_for_good_is_told_and_not_tried_again()
    {
        var log = new RecordingLogger();
        SimulatedPlatform machine = ScalingEngine.Platform();
        using (var session = new Session(Qpc, null, machine, log))
        {
            session.Setup();
            using Fault fault = machine.Faults.FailCall("ReleaseContext", (int)QStatus.DevError);
            session.Reset();
            Assert.AreEqual(1, fault.Hits);
        }

        Assert.AreEqual(0, QaicHandle.Live);
        Assert.AreEqual(1, machine.LiveObjects);
        StringAssert.StartsWith(log.Of(LogLevel.Warning).Single(), "The library refused to release a context: 300 (DevError).");
    }

    [TestMethod]
    public void An_inference_that_ends_with_the_status_of_a_time_out_is_reported_and_not_waited_for()
    {
        using Session session = Open();
        using (Faults.FailInference((int)QStatus.TimedOut, "It was late.", occurrence: 1))
        {
            var e = Assert.ThrowsExactly<QaicException>(() => session.Run(Input(1)));
            Assert.AreEqual(QaicError.Timeout, e.Error);
            StringAssert.Contains(e.Message, "It was late.");
        }

        AssertAnswers(2, session.Run(Input(2))["y"].AsSpan<float>());
    }

    [TestMethod]
    public void What_the_library_tells_every_context_is_quoted_once()
    {
        using Session first = Open(), second = Open();
        first.Setup();
        second.Setup();
        using Fault fault = Faults.FailCall("ProgramPropertiesInitDefault", (int)QStatus.Error, "No properties today.", occurrence: 1);
        first.Reset();
        string message = Assert.ThrowsExactly<QaicException>(first.Setup).Message;
        Assert.AreEqual(message.IndexOf("No properties today", StringComparison.Ordinal), message.LastIndexOf("No properties today", StringComparison.Ordinal), message);
    }
}
