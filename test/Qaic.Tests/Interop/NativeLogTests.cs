using System.Text;
using Microsoft.Extensions.Logging;
using Qaic.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests.Interop;

[TestClass]
public sealed unsafe class NativeLogTests
{
    [TestMethod]
    [DataRow(0u, LogLevel.Debug)]
    [DataRow(1u, LogLevel.Information)]
    [DataRow(2u, LogLevel.Warning)]
    [DataRow(3u, LogLevel.Error)]
    [DataRow(99u, LogLevel.Information)]
    public void A_message_reaches_its_logger_at_its_level(uint level, LogLevel expected)
    {
        RecordingLogger mine = new(), other = new();
        nint key = NativeLog.Register(mine), otherKey = NativeLog.Register(other);
        Say((QLogLevel)level, "grüße\n", key);
        NativeLog.Unregister(key);
        NativeLog.Unregister(otherKey);
        CollectionAssert.AreEqual(new[] { (expected, 1001, "libQAic: grüße") }, mine.Entries.ToArray());
        Assert.IsEmpty(other.Entries);
    }

    // Libraries of the old generation call with two arguments; the third is what the register held.
    [TestMethod]
    [DataRow(0L)]
    [DataRow(-1L)]
    [DataRow(0x7fff_dead_beef)]
    public void A_message_of_nobody_reaches_everybody(long junk)
    {
        RecordingLogger a = new(), b = new();
        nint keyA = NativeLog.Register(a), keyB = NativeLog.Register(b);
        Say(QLogLevel.Warn, "hello", (nint)junk);
        NativeLog.Unregister(keyA);
        NativeLog.Unregister(keyB);
        Assert.AreEqual("libQAic: hello", a.Of(LogLevel.Warning).Single());
        Assert.AreEqual("libQAic: hello", b.Of(LogLevel.Warning).Single());
    }

    [TestMethod]
    public void After_unregistering_nothing_arrives()
    {
        RecordingLogger logger = new();
        nint key = NativeLog.Register(logger);
        NativeLog.Unregister(key);
        Say(QLogLevel.Warn, "late", key);
        Assert.IsEmpty(logger.Entries);
    }

    [TestMethod]
    public void A_null_text_and_a_logger_that_throws_do_no_harm()
    {
        nint key = NativeLog.Register(new ThrowingLogger());
        TextWriter stderr = Console.Error;
        using StringWriter captured = new();
        Console.SetError(captured);
        NativeLog.Callback(QLogLevel.Info, null, key);
        Console.SetError(stderr);
        NativeLog.Unregister(key);
        Assert.Contains("the disk is full", captured.ToString());
    }

    [TestMethod]
    public void A_logger_that_throws_keeps_nobody_else_from_hearing_of_a_refused_release()
    {
        RecordingLogger before = new(), after = new();
        nint[] keys = [NativeLog.Register(before), NativeLog.Register(new ThrowingLogger()), NativeLog.Register(after)];
        TextWriter stderr = Console.Error;
        using StringWriter captured = new();
        Console.SetError(captured);
        try
        {
            NativeLog.ReleaseRefused("program", QStatus.Inval);
            Say(QLogLevel.Warn, "to everyone");
        }
        finally
        {
            Console.SetError(stderr);
            Array.ForEach(keys, NativeLog.Unregister);
        }

        foreach (RecordingLogger heard in new[] { before, after })
        {
            Assert.IsTrue(heard.Entries.Any(e => e.Event == 1004));
            Assert.IsTrue(heard.Entries.Any(e => e.Text.Contains("to everyone", StringComparison.Ordinal)));
        }

        Assert.Contains("the disk is full", captured.ToString());
    }

    [TestMethod]
    public void A_library_that_never_stops_complaining_does_not_fill_the_memory()
    {
        for (int i = 0; i < 10_000; i++)
        {
            Say(QLogLevel.Error, "one more line of a hundred characters or so");
        }

        Assert.IsLessThan(2000, NativeLog.TakeLastError()!.Length);
    }

    /// <summary>Calls the callback as the library would, on this thread.</summary>
    internal static void Say(QLogLevel level, string text, nint user = 0)
    {
        fixed (byte* utf8 = Encoding.UTF8.GetBytes(text + '\0'))
        {
            NativeLog.Callback(level, utf8, user);
        }
    }

    private sealed class ThrowingLogger : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            throw new IOException("the disk is full");
    }
}
