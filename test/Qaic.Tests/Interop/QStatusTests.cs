using Qaic.Interop;

namespace Qaic.Tests.Interop;

[TestClass]
public sealed class QStatusTests
{
    [TestMethod]
    [DataRow(1, QaicError.PermissionDenied)]
    [DataRow(2, QaicError.DeviceBusy)]
    [DataRow(3, QaicError.OutOfDeviceMemory)]
    [DataRow(4, QaicError.DeviceBusy)]
    [DataRow(5, QaicError.DeviceNotFound)]
    [DataRow(6, QaicError.InvalidCall)]
    [DataRow(7, QaicError.OutOfDeviceResources)]
    [DataRow(8, QaicError.InvalidCall)]
    [DataRow(9, QaicError.Timeout)]
    [DataRow(10, QaicError.Internal)]
    [DataRow(11, QaicError.NotSupported)]
    [DataRow(12, QaicError.DataCorrupted)]
    [DataRow(300, QaicError.DeviceError)]
    [DataRow(500, QaicError.Internal)]
    [DataRow(4711, QaicError.Internal)]
    public void A_status_becomes_an_error_and_stays_readable(int status, QaicError error)
    {
        QaicException e = Thrown((QStatus)status);
        Assert.AreEqual(error, e.Error);
        Assert.AreEqual(status, e.HResult);
        Assert.Contains($"returned {status} ({(QStatus)status})", e.Message);
    }

    [TestMethod]
    public void Every_status_that_is_known_has_a_remedy_of_its_kind()
    {
        foreach (QStatus status in Enum.GetValues<QStatus>().Where(s => s != QStatus.Success))
        {
            Assert.EndsWith(".", Thrown(status).Message);
            Assert.IsGreaterThan($"qaicLoadProgram returned {(int)status} ({status}). ".Length + 20, Thrown(status).Message.Length);
        }
    }

    [TestMethod]
    public void Success_is_silent() => QStatus.Success.ThrowIfFailed();

    [TestMethod]
    public void The_message_names_the_C_function_of_a_call_through_the_table()
    {
        (Func<int, QStatus> LoadProgram, int Raw) api = (_ => QStatus.DevError, 1);
        QaicException e = Assert.ThrowsExactly<QaicException>(() => api.LoadProgram(api.Raw).ThrowIfFailed());
        Assert.StartsWith("qaicLoadProgram returned 300 (DevError).", e.Message);
    }

    [TestMethod]
    [DataRow(300, "Failed to allocate NSP resources", QaicError.OutOfDeviceResources)]
    [DataRow(300, "Device does not satisfy the resource requirements", QaicError.OutOfDeviceResources)]
    [DataRow(500, "VC alloc failed: no virtual channel", QaicError.OutOfDeviceResources)]
    [DataRow(500, "not enough semaphores", QaicError.OutOfDeviceResources)]
    [DataRow(300, "Memory resource exhausted", QaicError.OutOfDeviceMemory)]
    [DataRow(6, "The program is not active", QaicError.ProgramNotActive)]
    [DataRow(5, "Failed to allocate NSP resources", QaicError.DeviceNotFound)]
    [DataRow(300, "something else", QaicError.DeviceError)]
    public void The_librarys_words_make_the_error_more_precise(int status, string said, QaicError error)
    {
        NativeLogTests.Say(QLogLevel.Error, said);
        QaicException e = Thrown((QStatus)status);
        Assert.AreEqual(error, e.Error);
        Assert.Contains($"The library says: {said}.", e.Message);
    }

    [TestMethod]
    public void All_that_was_said_during_the_call_is_repeated_once()
    {
        NativeLogTests.Say(QLogLevel.Error, "Failed to allocate NSP resources\n");
        NativeLogTests.Say(QLogLevel.Error, "Load failed");
        Assert.Contains("says: Failed to allocate NSP resources; Load failed.", Thrown(QStatus.DevError).Message);
        Assert.DoesNotContain("says", Thrown(QStatus.DevError).Message);
    }

    [TestMethod]
    public void What_was_said_during_a_call_that_succeeded_does_not_explain_a_later_failure()
    {
        NativeLogTests.Say(QLogLevel.Error, "retrying");
        QStatus.Success.ThrowIfFailed();
        Assert.DoesNotContain("retrying", Thrown(QStatus.DevError).Message);
    }

    [TestMethod]
    public void What_was_said_on_another_thread_is_not_mixed_in()
    {
        var other = new Thread(() => NativeLogTests.Say(QLogLevel.Error, "elsewhere"));
        other.Start();
        other.Join();
        Assert.DoesNotContain("elsewhere", Thrown(QStatus.DevError).Message);
    }

    [TestMethod]
    public void Only_errors_explain_a_failure()
    {
        NativeLogTests.Say(QLogLevel.Warn, "a warning");
        Assert.DoesNotContain("a warning", Thrown(QStatus.DevError).Message);
    }

    private static QaicException Thrown(QStatus status) => Assert.ThrowsExactly<QaicException>(() => status.ThrowIfFailed("qaicLoadProgram"));
}
