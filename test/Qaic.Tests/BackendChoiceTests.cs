using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Tests.Support;

namespace Qaic.Tests;

[TestClass]
public sealed class BackendChoiceTests
{
    private static readonly Platform s_simulated = Platform.Simulated(new() { Engine = new DoublingEngine() });

    [TestMethod]
    public void Auto_takes_a_card_that_is_ready_without_a_warning()
    {
        NativeFake fake = NativeFake.Build("FAKE_DEVICES=4");
        RecordingLogger logger = new();
        Assert.AreSame(fake.Platform, Choice(fake).Select(QaicBackend.Auto, logger));
        Assert.IsEmpty(logger.Of(LogLevel.Warning));
        Assert.Contains(fake.Path, logger.Of(LogLevel.Information).Single());
    }

    [TestMethod]
    public void Auto_without_a_library_is_the_simulated_card_with_one_warning_that_says_why()
    {
        BackendChoice choice = new(() => Platform.Native("/nowhere/libQAic.so"), () => s_simulated);
        RecordingLogger logger = new();
        Assert.AreSame(s_simulated, choice.Select(QaicBackend.Auto, logger));
        Assert.AreSame(s_simulated, choice.Select(QaicBackend.Auto, logger));
        string warning = logger.Of(LogLevel.Warning).Single();
        Assert.Contains("simulated card (doubling)", warning);
        Assert.Contains("/nowhere/libQAic.so (the path that was given): no such file", warning);
    }

    [TestMethod]
    public void The_warning_waits_for_somebody_who_listens()
    {
        BackendChoice choice = new(() => Platform.Native("/nowhere/libQAic.so"), () => s_simulated);
        RecordingLogger deaf = new(LogLevel.Error), logger = new();
        choice.Select(QaicBackend.Auto, NullLogger.Instance);
        choice.Select(QaicBackend.Auto, deaf);
        choice.Select(QaicBackend.Auto, logger);
        Assert.ContainsSingle(logger.Of(LogLevel.Warning));
        Assert.IsEmpty(deaf.Entries);
    }

    [TestMethod]
    public void The_automatic_choice_is_made_once_however_many_ask_at_once()
    {
        int loads = 0, machines = 0;
        BackendChoice choice = new(
            () =>
            {
                Interlocked.Increment(ref loads);
                return Platform.Native("/nowhere/libQAic.so");
            },
            () =>
            {
                Interlocked.Increment(ref machines);
                return s_simulated;
            });
        RecordingLogger logger = new();
        Thread[] threads = [.. Enumerable.Range(0, 8).Select(_ => new Thread(() => choice.Select(QaicBackend.Auto, logger)))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        Assert.AreEqual((1, 1, 1), (loads, machines, logger.Of(LogLevel.Warning).Count()));
    }

    [TestMethod]
    [DataRow("FAKE_DEVICES=0", "finds no device. Check that the card is there")]
    [DataRow("FAKE_DEVICE_STATUS=DEVICE_INITIALIZING", "device 0: Initializing, 16 of 16 cores free (The device is still starting")]
    [DataRow("FAKE_ASK_STATUS=QS_PERM", "group that owns the device nodes")]
    public void A_library_without_a_ready_card_is_an_error_for_Aic_and_a_reason_for_Auto(string variant, string reason)
    {
        BackendChoice choice = Choice(NativeFake.Build(variant));
        RecordingLogger logger = new();
        QaicException e = Assert.ThrowsExactly<QaicException>(() => choice.Select(QaicBackend.Aic, logger));
        Assert.AreEqual(QaicError.DeviceNotFound, e.Error);
        Assert.Contains(reason, e.Message);
        Assert.AreSame(s_simulated, choice.Select(QaicBackend.Auto, logger));
        Assert.Contains(reason, logger.Of(LogLevel.Warning).Single());
    }

    [TestMethod]
    public void Aic_without_a_library_names_the_paths_and_never_simulates()
    {
        BackendChoice choice = new(() => Platform.Native("/nowhere/libQAic.so"), () => throw new AssertFailedException("The simulated card was not asked for."));
        Assert.AreEqual(QaicError.LibraryNotAvailable, Assert.ThrowsExactly<QaicException>(() => choice.Select(QaicBackend.Aic, NullLogger.Instance)).Error);
    }

    [TestMethod]
    public void Simulated_never_looks_for_a_card()
    {
        BackendChoice choice = new(() => throw new AssertFailedException("A card was not asked for."), () => s_simulated);
        RecordingLogger logger = new();
        Assert.AreSame(s_simulated, choice.Select(QaicBackend.Simulated, logger));
        Assert.IsEmpty(logger.Entries);
    }

    [TestMethod]
    public void Neither_a_card_nor_an_engine_is_an_error_with_both_reasons_and_may_be_tried_again()
    {
        bool engine = false;
        BackendChoice choice = new(
            () => Platform.Native("/nowhere/libQAic.so"),
            () => engine ? s_simulated : throw new QaicException(QaicError.LibraryNotAvailable, "There is nothing that computes."));
        string message = Assert.ThrowsExactly<QaicException>(() => choice.Select(QaicBackend.Auto, NullLogger.Instance)).Message;
        Assert.Contains("/nowhere/libQAic.so", message);
        Assert.Contains("nothing that computes", message);
        engine = true;
        Assert.AreSame(s_simulated, choice.Select(QaicBackend.Auto, NullLogger.Instance));
    }

    [TestMethod]
    public void A_backend_that_does_not_exist_is_refused() =>
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Choice(NativeFake.Build()).Select((QaicBackend)9, NullLogger.Instance));

    private static BackendChoice Choice(NativeFake fake) => new(() => fake.Platform, () => s_simulated);
}
