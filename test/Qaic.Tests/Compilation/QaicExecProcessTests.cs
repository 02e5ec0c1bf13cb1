using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Compilation;

/// <summary>How the vendor's compiler ends, by itself and otherwise, and what it says before.</summary>
[TestClass]
public sealed class QaicExecProcessTests
{
    // Everything that the script starts holds the pipe "alive", so its end is the end of them all. None heeds a polite signal.
    private const string Family = """
        exec 9>"$here/alive"
        trap '' TERM HUP INT
        mkfifo "$here/never"
        sh -c 'read x < "$1"' sh "$here/never" &
        ( setsid sh -c 'trap "" TERM HUP INT; echo everybody is here; read x < "$1"' sh "$here/never" & )

        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    public async Task Cancelling_ends_the_compiler_its_children_and_those_that_left_the_family()
    {
        FakeCompiler fake = new(_directory.FullName, Family + "read x < \"$here/never\"");
        Task dead = EndOfAll(fake);
        using CancellationTokenSource cancel = new();
        OperationCanceledException e = Assert.ThrowsExactly<OperationCanceledException>(
            () => Compile(fake, new LineLogger(line => Cancel(line, "everybody is here", cancel)), cancellationToken: cancel.Token));
        Assert.AreEqual(cancel.Token, e.CancellationToken);
        await dead.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.IsFalse(Directory.Exists(Target));
    }

    [TestMethod]
    public async Task The_time_limit_ends_them_too_and_says_which_option_sets_it()
    {
        FakeCompiler fake = new(_directory.FullName, Family + "read x < \"$here/never\"");
        Task dead = EndOfAll(fake);
        ManualClock clock = new();
        QaicExecCompiler compiler = new(fake.Path) { Clock = clock };
        TaskCompletionSource started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        LineLogger logger = new(line =>
        {
            if (line.Contains("everybody", StringComparison.Ordinal))
            {
                started.TrySetResult();
            }
        });
        Task<string> compilation = Task.Run(() => compiler.Compile(Model(), Target, new() { CompileTimeout = 7 }, logger, default));
        await Task.WhenAny(started.Task, compilation);
        clock.Advance(TimeSpan.FromSeconds(6));
        Assert.IsFalse(compilation.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(1));
        CompilationException e = await Assert.ThrowsExactlyAsync<CompilationException>(() => compilation);
        Assert.AreEqual((CompilationError.Timeout, "everybody is here", null), (e.Error, e.OutputTail, e.ExitCode));
        Assert.Contains("within 7 s. Raise CompileTimeout (compile_timeout)", e.Message);
        await dead.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [TestMethod]
    public async Task What_a_compiler_leaves_behind_when_it_is_done_is_ended_and_not_waited_for()
    {
        FakeCompiler fake = new(_directory.FullName, Family + FakeCompiler.Compiles);
        Task dead = EndOfAll(fake);
        Compile(fake, NullLogger.Instance);
        await dead.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [TestMethod]
    public void A_tool_that_never_answers_about_itself_is_cancelled_as_well()
    {
        FakeCompiler fake = new(_directory.FullName);
        string pipe = fake.Pipe("never");
        File.WriteAllText(fake.Path, $"#!/bin/sh\necho asked\necho $$ > '{fake.Beside("pid")}'\nread x < '{pipe}'\n");
        using CancellationTokenSource cancel = new();
        Thread writer = new(() =>
        {
            // Opens when the tool does. Then the tool waits for a line that does not come.
            using FileStream stream = new(pipe, FileMode.Open, FileAccess.Write);
            cancel.Cancel();
        });
        writer.Start();
        Assert.ThrowsExactly<OperationCanceledException>(() => Compile(fake, NullLogger.Instance, cancellationToken: cancel.Token));
        writer.Join();
        Assert.IsFalse(Directory.Exists("/proc/" + File.ReadAllText(fake.Beside("pid")).Trim()));
    }

    [TestMethod]
    public void A_cancelled_token_starts_nothing()
    {
        FakeCompiler fake = new(_directory.FullName);
        Assert.ThrowsExactly<OperationCanceledException>(() => Compile(fake, NullLogger.Instance, cancellationToken: new CancellationToken(true)));
        Assert.AreEqual((0, ""), (fake.Runs, fake.Asked));
    }

    [TestMethod]
    public void Megabytes_on_both_streams_block_nobody_and_only_the_end_is_kept()
    {
        // Four megabytes without an end of line, then many lines on both sides at once.
        FakeCompiler fake = new(_directory.FullName, """
            head -c 4000000 /dev/zero | tr '\0' 'x'
            echo
            yes 'a line of the error stream' 2>/dev/null | head -n 40000 >&2 &
            yes 'a line of the output' 2>/dev/null | head -n 40000
            wait
            echo 'Graph hash mismatch!' >&2
            yes 'and many more after it' 2>/dev/null | head -n 5000
            exit 255
            """);
        int outputs = 0, errors = 0, longest = 0;
        LineLogger logger = new(line =>
        {
            outputs += line.EndsWith("a line of the output", StringComparison.Ordinal) ? 1 : 0;
            errors += line.EndsWith("a line of the error stream", StringComparison.Ordinal) ? 1 : 0;
            longest = Math.Max(longest, line.Length);
        });
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile(fake, logger));
        Assert.AreEqual((40000, 40000), (outputs, errors));
        Assert.IsLessThan(5000, longest);
        Assert.AreEqual(CompilationError.ProfileMismatch, e.Error, "the message that counts was long ago");
        Assert.IsLessThan(16 << 10, e.OutputTail.Length);
        Assert.EndsWith("and many more after it\nand many more after it", e.OutputTail);
    }

    [TestMethod]
    public void Every_line_is_logged_as_it_comes_and_at_the_level_of_what_it_says()
    {
        FakeCompiler fake = new(_directory.FullName, $$"""
            echo 'WARNING: c1 contains value or values that will underflow'
            echo 'QAIC_ERROR: not so bad' >&2
            printf 'a\rb\r\n\n  \nc'
            {{FakeCompiler.Compiles}}
            """);
        using RecordingLogger logger = new();
        Compile(fake, logger);
        Assert.AreEqual("qaic-exec: WARNING: c1 contains value or values that will underflow", logger.Of(LogLevel.Warning).Single());
        Assert.AreEqual("qaic-exec: QAIC_ERROR: not so bad", logger.Of(LogLevel.Error).Single());
        List<string> lines = [.. logger.Of(LogLevel.Information)];
        Assert.StartsWith($"Running {fake.Path} -m={Model()} -aic-hw ", lines[0]);
        Assert.AreEqual($"qaic-exec: a|qaic-exec: b|qaic-exec: cReading ONNX Model from {Model()}", string.Join('|', lines[1..4]));
    }

    [TestMethod]
    public void A_log_that_fails_does_not_cost_the_compilation()
    {
        FakeCompiler fake = new(_directory.FullName);
        int calls = 0;
        Compile(fake, new LineLogger(line => throw new InvalidOperationException(line + calls++), only: "qaic-exec: "));
        Assert.AreEqual(1, calls);
    }

    [TestMethod]
    public void The_tool_cannot_wait_for_the_users_keyboard()
    {
        FakeCompiler fake = new(_directory.FullName, "read answer && exit 9\n" + FakeCompiler.Compiles);
        Compile(fake, NullLogger.Instance);
    }

    [TestMethod]
    [DataRow("echo 'Invalid option -retained-state. Use -h, -help, or --help for list of options.' >&2; exit 255", CompilationError.UnknownOption, 255, "the flag -retained-state. Use an SDK")]
    [DataRow("echo 'Invalid option -aic-num-cores. Use -h'; exit 1", CompilationError.UnknownOption, 1, "from option NumCores (aic_num_cores)")]
    [DataRow("echo 'Invalid option -brand-new=1.'; exit 1", CompilationError.UnknownOption, 1, "from option CompilerArguments (compiler_args)")]
    [DataRow("echo '[json.exception.type_error.302] type must be string, but is object' >&2; exit 255", CompilationError.SpecializationFormat, 255, "network_specialization_config")]
    [DataRow("echo 'QAIC_ERROR:'; echo \"Error message:  [Operator-'Trilu', opset_version-13, ir_version-7] : bad\"; echo 'QAICException:Unable to AddNodesToGraphFromModel'; kill -ABRT $$",
        CompilationError.UnsupportedOperator, 134, "the operator Trilu ")]
    [DataRow("echo 'QAICException:Unable to AddNodesToGraphFromModel'; exit 255", CompilationError.ModelLoad, 255, "cannot read the model")]
    [DataRow("echo \"In '/model/Trilu/' From 'QAicGraph' x\"; echo 'Function verification failed'; exit 255", CompilationError.GraphVerification, 255, "faulty at '/model/Trilu/'")]
    [DataRow("echo 'Undefined symbol, use -onnx-define-symbol=batch,<value>' >&2; exit 255", CompilationError.MissingSymbol, 255, "symbolic dimension 'batch' has no value")]
    [DataRow("echo 'use -onnx-define-symbol=<sym>,<value>'; exit 255", CompilationError.MissingSymbol, 255, "Give all of them in OnnxDefineSymbol")]
    [DataRow("echo \"$@\"; exit 7", CompilationError.Other, 7, "exit code 7")]
    [DataRow("echo 'Graph hash mismatch!'; exit 255", CompilationError.ProfileMismatch, 255, "same batch size")]
    [DataRow("echo \"terminate called after throwing an instance of 'std::bad_alloc'\"; kill -ABRT $$", CompilationError.OutOfMemory, 134, "memory ran out")]
    [DataRow("kill -KILL $$", CompilationError.OutOfMemory, 137, "SIGKILL")]
    [DataRow("echo 'malloc(): invalid size (unsorted)' >&2; kill -ABRT $$", CompilationError.Crashed, 134, "it crashed")]
    [DataRow("kill -ABRT $$", CompilationError.Crashed, 134, "SIGABRT ended it")]
    [DataRow("kill -SEGV $$", CompilationError.Crashed, 139, "SIGSEGV ended it")]
    [DataRow("exit 255", CompilationError.Other, 255, "exit code 255. It said nothing.")]
    [DataRow("for i in 1 2 3 4 5; do echo $i; done; exit 2", CompilationError.Other, 2, "It says last: 3 | 4 | 5")]
    public void A_failure_is_recognised_by_what_the_tool_says_and_how_it_ends(string body, CompilationError error, int exitCode, string expected)
    {
        FakeCompiler fake = new(_directory.FullName, body);
        QaicOptions options = new() { NumCores = 2, CompilerArguments = ["-onnx-define-symbol=given,1", "-brand-new=1"] };
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile(fake, NullLogger.Instance, options));
        Assert.AreEqual((error, exitCode), (e.Error, e.ExitCode!.Value), e.Message);
        Assert.Contains(expected, e.Message);
        CollectionAssert.AreEqual(fake.Arguments(), e.Arguments.ToArray());
    }

    [TestMethod]
    [DataRow("a\nb\r\nc\rd", "a|b|c|d")]
    [DataRow("", "")]
    [DataRow("\n\n \n\t\nx", "x")]
    [DataRow("  indented  \n", "  indented")]
    [DataRow("\u00e4\u20ac", "\u00e4\u20ac")]
    public void Lines_end_where_programs_end_them_and_blank_ones_do_not_count(string text, string expected)
    {
        // Byte by byte too: a pipe may give any piece at a time.
        foreach (Stream stream in new Stream[] { new MemoryStream(Encoding.UTF8.GetBytes(text)), new DribblingStream(Encoding.UTF8.GetBytes(text)) })
        {
            List<string> lines = [];
            QaicExecProcess.Read(stream, lines.Add);
            Assert.AreEqual(expected, string.Join('|', lines));
        }
    }

    [TestMethod]
    public void A_long_line_is_cut_and_says_by_how_much()
    {
        List<string> lines = [];
        QaicExecProcess.Read(new MemoryStream([.. Enumerable.Repeat((byte)'x', QaicExecProcess.LongestLine + 5), (byte)'\n', (byte)'y']), lines.Add);
        Assert.AreEqual(new string('x', QaicExecProcess.LongestLine) + "… (5 more bytes)", lines[0]);
        Assert.AreEqual("y", lines[1]);
    }

    private string Target => Path.Combine(_directory.FullName, "qpc");

    private string Compile(FakeCompiler fake, ILogger logger, QaicOptions? options = null, CancellationToken cancellationToken = default) =>
        new QaicExecCompiler(fake.Path).Compile(Model(), Target, options ?? new(), logger, cancellationToken);

    private string Model()
    {
        string path = Path.Combine(_directory.FullName, "model.onnx");
        File.WriteAllText(path, "the fake does not read it");
        return path;
    }

    // Completes when the last process that has the pipe open is gone; the script waits until it is opened here.
    private static Task EndOfAll(FakeCompiler fake)
    {
        string pipe = fake.Pipe("alive");
        return Task.Factory.StartNew(
            () =>
            {
                using FileStream stream = new(pipe, FileMode.Open, FileAccess.Read);
                Assert.AreEqual(-1, stream.ReadByte());
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private static void Cancel(string line, string when, CancellationTokenSource source)
    {
        if (line.Contains(when, StringComparison.Ordinal))
        {
            source.Cancel();
        }
    }

    private sealed class LineLogger(Action<string> line, string only = "") : ILogger
    {
        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            string text = formatter(state, exception);
            if (text.StartsWith(only, StringComparison.Ordinal))
            {
                line(text);
            }
        }
    }

    private sealed class DribblingStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(1, buffer.Length)]);

        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(1, count));
    }
}
