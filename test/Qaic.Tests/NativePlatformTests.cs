using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Interop;
using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Tests;

/// <summary>Sessions on a library that was loaded, in every generation of its interface.</summary>
[TestClass]
public sealed class NativePlatformTests
{
    private const string Old = "FAKE_OLD_CONTEXT,qaicExecObjSetDataExt=hiddenExecObjSetDataExt";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-test-");
    private NativeFake? _fake;

    [TestCleanup]
    public void Nothing_is_left_alive()
    {
        _directory.Delete(recursive: true);
        Assert.AreEqual(0, QaicHandle.Live);
        Assert.AreEqual(0u, _fake?.LiveObjects ?? 0);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("FAKE_WIDE")]
    [DataRow("FAKE_PROPERTIES_SIZE=500")]
    [DataRow("qaicOpenQpcFile=hiddenOpenQpcFile")]
    [DataRow("qaicOpenQpc=hiddenOpenQpc")]
    [DataRow(Old)]
    [DataRow(Old + ",FAKE_WIDE,qaicOpenQpcFile=hiddenOpenQpcFile,FAKE_PROPERTIES_SIZE=32")]
    [DataRow("qaicExecObjSetDataExt=h1,qaicGetAicVersion=h2,qaicGetDeviceInfo=h3,qaicGetResourceInfo=h4,qaicQpcGetInfo=h5,qaicProgramGetIoBufferInfo=h6,qaicSetLogLevel=h7")]
    public async Task A_session_runs_on_every_generation_of_the_library(string switches)
    {
        await using Session session = Open(switches);
        float[] y = new float[4];
        session.Run<float, float>([1, -2, 3, 0.5f], y);
        CollectionAssert.AreEqual(new[] { -1, 2, -3, -0.5f }, y);
        IReadOnlyDictionary<string, Tensor>[] results =
            await Task.WhenAll(Enumerable.Range(0, 100).Select(i => session.RunAsync(new Dictionary<string, Tensor> { ["x"] = Tensor.Create<float>([i, i, i, i], 4) })));
        CollectionAssert.AreEqual(Enumerable.Range(0, 100).Select(i => -(float)i).ToArray(), results.Select(r => r["y"].AsSpan<float>()[3]).ToArray());
    }

    [TestMethod]
    public void Messages_of_the_library_reach_the_log_of_their_session()
    {
        RecordingLogger logger = new();
        using Session session = Open("", logger);
        session.Setup();
        _fake!.Log(QLogLevel.Warn, "the fan is loud");
        Assert.AreEqual("libQAic: the fan is loud", logger.Of(LogLevel.Warning).Single());
        (ulong devices, nint user, nint error, _) = _fake.ContextArguments();
        Assert.AreEqual((1ul, 0), (devices, error));
        Assert.AreNotEqual(0, user);
    }

    [TestMethod]
    public void The_old_generation_gets_no_user_value_which_it_would_call_and_its_messages_arrive_all_the_same()
    {
        RecordingLogger logger = new();
        using Session session = Open(Old, logger);
        session.Setup();
        _fake!.Log(QLogLevel.Warn, "the fan is loud");
        Assert.AreEqual("libQAic: the fan is loud", logger.Of(LogLevel.Warning).Single());
        Assert.AreEqual((1ul, 0, 0, 0), _fake.ContextArguments());
    }

    [TestMethod]
    public void Resources_that_are_taken_are_reported_with_the_librarys_words_and_nothing_stays_behind()
    {
        using Session session = Open("");
        _fake!.Fail("qaicLoadProgram", QStatus.DevError, "Failed to allocate NSP resources");
        QaicException e = Assert.ThrowsExactly<QaicException>(session.Setup);
        Assert.AreEqual(QaicError.OutOfDeviceResources, e.Error);
        Assert.StartsWith("qaicLoadProgram returned 300 (DevError). The library says: Failed to allocate NSP resources.", e.Message);
        Assert.AreEqual(0u, _fake.LiveObjects);
        session.Setup();
    }

    [TestMethod]
    [DataRow("qaicCreateContext")]
    [DataRow("qaicCreateQueue")]
    [DataRow("qaicOpenQpcFile")]
    [DataRow("qaicCreateProgram")]
    [DataRow("qaicLoadProgram")]
    [DataRow("qaicRunActivationCmd")]
    [DataRow("qaicProgramGetIoDescriptor")]
    [DataRow("qaicCreateExecObj")]
    [DataRow("qaicExecObjSetData")]
    public void A_failure_of_any_step_names_it_and_leaves_nothing_behind(string function)
    {
        using Session session = Open("");
        _fake!.Fail(function, QStatus.NoMem);
        QaicException e = Assert.ThrowsExactly<QaicException>(session.Setup);
        Assert.AreEqual(QaicError.OutOfDeviceMemory, e.Error);
        Assert.StartsWith($"{function} returned 3 (NoMem).", e.Message);
        Assert.AreEqual(0u, _fake.LiveObjects);
    }

    [TestMethod]
    public void After_a_device_error_the_next_run_works_again()
    {
        using Session session = Open("");
        float[] y = new float[4];
        session.Run<float, float>([1, 1, 1, 1], y);
        _fake!.Fail("qaicExecObjWaitForCompletion", QStatus.DevError, "the core hung");
        QaicException e = Assert.ThrowsExactly<QaicException>(() => session.Run<float, float>([2, 2, 2, 2], y));
        Assert.AreEqual((QaicError.DeviceError, 300, true), (e.Error, e.HResult, e.IsTransient));
        session.Run<float, float>([3, 3, 3, 3], y);
        Assert.AreEqual(-3, y[0]);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("FAKE_WIDE")]
    public unsafe void A_wait_that_times_out_leaves_the_inference_running(string switches)
    {
        _fake = Fake(switches);
        using TableClient client = new(_fake.Platform.Api, 0, NativeFake.WriteQpc(_directory.FullName));
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(4);
        using (_fake.Hold())
        {
            TableClient.Check(exec.Enqueue(client.Queue));
            Assert.AreEqual(QStatus.TimedOut, exec.Wait(1000));
            Assert.AreEqual(0, exec.Output()[0]);
        }

        TableClient.Check(exec.Wait());
        Assert.AreEqual(-4, exec.Output()[0]);
    }

    [TestMethod]
    [DataRow("", 24)]
    [DataRow("FAKE_PROPERTIES_SIZE=500", 500)]
    public unsafe void The_program_properties_of_any_size_fit_their_room(string switches, int size)
    {
        byte* properties = stackalloc byte[QaicApi.ProgramPropertiesCapacity + 64];
        var room = new Span<byte>(properties, QaicApi.ProgramPropertiesCapacity + 64);
        room.Fill(0xA5);
        Fake(switches).Platform.Api.ProgramPropertiesInitDefault(properties).ThrowIfFailed();
        Assert.AreEqual(size - 1, room.LastIndexOfAnyExcept((byte)0xA5), "the last byte that the library wrote");
        Assert.AreEqual(5u, *(uint*)(properties + 4), "retries");
    }

    [TestMethod]
    public void A_device_that_is_not_there_is_reported_at_set_up()
    {
        _fake = Fake("");
        using var session = new Session(NativeFake.WriteQpc(_directory.FullName), new() { DeviceId = 5 }, _fake.Platform);
        Assert.AreEqual(QaicError.DeviceNotFound, Assert.ThrowsExactly<QaicException>(session.Setup).Error);
    }

    [TestMethod]
    public void A_model_cannot_be_compiled_here_and_the_message_says_what_can_be_done()
    {
        ICompiler compiler = Fake("").Platform.Compiler;
        string model = Repository.Model("digits_cnn");
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => compiler.Compile(model, _directory.FullName, new(), NullLogger.Instance, default));
        Assert.Contains("programqpc.bin", e.Message);
        Assert.ThrowsExactly<FileNotFoundException>(() => compiler.Compile(model + "x", _directory.FullName, new(), NullLogger.Instance, default));
    }

    [TestMethod]
    public void A_session_compiles_with_the_compiler_of_its_options_and_runs_what_it_made()
    {
        _fake = Fake("");
        FakeCompiler compiler = new(_directory.FullName);
        File.Move(NativeFake.WriteQpc(_directory.FullName), compiler.Beside("good.bin"), overwrite: true);
        string target = Path.Combine(_directory.FullName, "out");
        using var session = new Session(Repository.Model("digits_cnn"), new() { CompilerPath = compiler.Path, OutputDirectory = target, NumCores = 1, UseCache = false }, _fake.Platform);
        Assert.AreEqual(Path.Combine(target, "programqpc.bin"), session.QpcPath);
        float[] y = new float[4];
        session.Run<float, float>([1, 2, 3, 4], y);
        CollectionAssert.AreEqual(new float[] { -1, -2, -3, -4 }, y);
        Assert.Contains("-aic-num-cores=1", compiler.Arguments());
        Assert.AreEqual(1, compiler.Runs);
    }

    [TestMethod]
    public void The_platforms_compiler_is_the_vendors_where_there_is_one_and_else_says_where_it_was_looked_for()
    {
        Platform platform = Fake("").Platform;
        FakeCompiler compiler = new(_directory.FullName, name: "qaic-compile");
        string? before = Environment.GetEnvironmentVariable("QAIC_COMPILER");
        try
        {
            Environment.SetEnvironmentVariable("QAIC_COMPILER", compiler.Path);
            Assert.AreEqual("qaic-compile", platform.Compiler.Name);
            Environment.SetEnvironmentVariable("QAIC_COMPILER", "/no/where");
            ICompiler none = platform.Compiler;
            CompilationException e = Assert.ThrowsExactly<CompilationException>(() => none.Compile(Repository.Model("digits_cnn"), _directory.FullName, new(), NullLogger.Instance, default));
            Assert.AreEqual(CompilationError.CompilerUnavailable, e.Error);
            Assert.Contains("/no/where (QAIC_COMPILER): no such file", e.Message);
            Assert.Contains("set Backend to Simulated", e.Message);
            Assert.AreEqual("qaic-compile", platform.CompilerFor(new() { CompilerPath = compiler.Path }).Name);
        }
        finally
        {
            Environment.SetEnvironmentVariable("QAIC_COMPILER", before);
        }
    }

    private static NativeFake Fake(string switches) => NativeFake.Build(switches.Split(',', StringSplitOptions.RemoveEmptyEntries));

    private Session Open(string switches, RecordingLogger? logger = null)
    {
        _fake = Fake(switches);
        return new Session(NativeFake.WriteQpc(_directory.FullName), new() { SetSize = 2 }, _fake.Platform, logger);
    }
}
