using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Qaic.Options;
using Qaic.Qpc;
using Qaic.Quantization;

namespace Qaic.Compilation;

/// <summary>The vendor's compiler: <c>qaic-compile</c>, or <c>qaic-exec</c> of older SDKs. It runs as a process of its own.</summary>
/// <remarks>
/// <para>Thread-safe; compilations may run side by side, also into the same directory.</para>
/// <para>It needs the SDK, but no card: a machine that only compiles can make the QPC for another one that runs it.</para>
/// <example><code>
/// // On the machine with the SDK; the card is elsewhere.
/// string qpc = QaicExecCompiler.Find().Compile("model.onnx", "out", new QaicOptions { NumCores = 4 }, logger, CancellationToken.None);
/// // or with a compiler that is not in the usual places
/// string other = new QaicExecCompiler("/sdk/1.20/exec/qaic-compile").Compile("model.onnx", "out", options, logger, CancellationToken.None);
/// // On the machine with the card, which needs no compiler.
/// using var session = new Session("out/programqpc.bin");
/// </code></example>
/// <para>With <c>dump_profile</c> the model is profiled first and then compiled with that profile, in two runs; with <c>dump_custom_io_config_template_file</c> a run before them
/// writes the template. When a compilation ends, by itself or not, everything that the compiler had started is ended with it.</para>
/// </remarks>
public sealed partial class QaicExecCompiler : IProfilingCompiler
{
    internal const string RawKeyword = "compiler_args";

    private const string BatchKeyword = "batch_size";
    private const string SymbolFlag = "onnx-define-symbol";
    private const string OptionOrigin = "option CompilerPath, compiler_path";
    private const string LibraryName = "libQAicCompiler.so";

    // Both change what the same executable makes of the same model.
    private const string LibraryVariable = "QAIC_COMPILER_LIB";
    private const string UnsupportedVariable = "QAIC_COMPILER_OPTS_UNSUPPORTED";

    /// <summary>A compiler at a known place.</summary>
    /// <param name="path">The executable, or the directory with <c>qaic-compile</c> or <c>qaic-exec</c>.</param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="CompilationException"><see cref="CompilationError.CompilerUnavailable"/>: there is no program; with the places that were looked at.</exception>
    public QaicExecCompiler(string path)
        : this(Search(NotEmpty(path), "the path that was given"))
    {
    }

    private QaicExecCompiler(QaicExecCandidate place)
    {
        Path = place.Path;
        Name = System.IO.Path.GetFileName(place.Path);
    }

    /// <summary>Full path of the executable.</summary>
    public string Path { get; }

    /// <summary>Name of the executable: <c>qaic-compile</c>, <c>qaic-exec</c>.</summary>
    public string Name { get; }

    /// <summary>What decides about the result beside model and options: the version that the tool prints, size and time of its file and of the compiler's library, and the
    /// environment variable with extra options, if it is set. Asks the tool the first time.</summary>
    /// <exception cref="CompilationException"><see cref="CompilationError.CompilerUnavailable"/>: the tool is gone, or cannot be started.</exception>
    public string Version => Identity(QaicExecCapabilities.Of(Path, Clock, CancellationToken.None));

    internal TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Finds the compiler: option <see cref="QaicOptions.CompilerPath"/>, else the environment variable <c>QAIC_COMPILER</c>, else <c>/opt/qti-aic/exec</c>, then PATH.
    /// In each, <c>qaic-compile</c> comes before <c>qaic-exec</c>. If the option or the variable is set, nothing else is looked at.</summary>
    /// <param name="options">The options; null for defaults.</param>
    /// <exception cref="CompilationException"><see cref="CompilationError.CompilerUnavailable"/>: there is none; with the places that were looked at.</exception>
    public static QaicExecCompiler Find(QaicOptions? options = null) => new(Search(options?.CompilerPath));

    /// <summary>Finds the compiler as <see cref="Find"/> does.</summary>
    /// <param name="options">The options; null for defaults.</param>
    /// <param name="compiler">The compiler; null if there is none.</param>
    /// <param name="reason">The places that were looked at, and what to do; null if there is a compiler.</param>
    /// <returns>Whether there is one.</returns>
    public static bool TryFind(QaicOptions? options, [NotNullWhen(true)] out QaicExecCompiler? compiler, [NotNullWhen(false)] out string? reason)
    {
        QaicExecCandidate? place = Search(options?.CompilerPath, OptionOrigin, out string looked);
        compiler = place is null ? null : new QaicExecCompiler(place);
        reason = compiler is null ? looked : null;
        return compiler is not null;
    }

    /// <summary>Whether the tool's help has a flag.</summary>
    /// <param name="flag">The flag without dash: <c>retained-state</c>.</param>
    /// <returns>Null if its help cannot be read.</returns>
    /// <exception cref="CompilationException"><see cref="CompilationError.CompilerUnavailable"/>: the tool is gone, or cannot be started.</exception>
    public bool? Knows(string flag)
    {
        ArgumentException.ThrowIfNullOrEmpty(flag);
        return QaicExecCapabilities.Of(Path, Clock, CancellationToken.None).Flags?.Contains(flag);
    }

    /// <inheritdoc/>
    /// <remarks>The compiler writes into a new directory inside <paramref name="outputDirectory"/>; what it has made is renamed into place when all of it is there and opens as a QPC.
    /// A list of inputs whose files are found from its own directory only is passed on with full paths. Each line that it prints goes to <paramref name="logger"/>, from other threads than the caller's. <see cref="QaicOptions.CompileTimeout"/> counts all runs together.
    /// <see cref="QaicOptions.CompilerPath"/> is not looked at: it chooses a compiler (<see cref="Find"/>), and this one is chosen.</remarks>
    /// <exception cref="ArgumentException">Options contradict each other.</exception>
    /// <exception cref="IOException">The output directory cannot be written to.</exception>
    /// <exception cref="OperationCanceledException">The compilation was cancelled; the compiler and all it had started have ended.</exception>
    public string Compile(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);
        ArgumentException.ThrowIfNullOrEmpty(outputDirectory);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        options.Validate();
        if (options.QuantizationCalibration == QuantizationCalibration.Auto)
        {
            throw new CompilationException(
                $"{Name} ({Path}) cannot choose a calibration by itself: 'auto' in {OptionTable.Find("quantization_calibration")} is for the simulated card. Choose one of None, KLMinimization, KLMinimizationV2, "
                + "Percentile, MSE and SQNR, or find the best one on the simulated card and give its name.")
            {
                Error = CompilationError.UnknownOption,
            };
        }

        cancellationToken.ThrowIfCancellationRequested();
        string model = Existing(modelPath);
        using CancellationTokenSource? limit = options.CompileTimeout is { } seconds ? new(TimeSpan.FromSeconds(seconds), Clock) : null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit?.Token ?? CancellationToken.None);
        string target = System.IO.Path.GetFullPath(outputDirectory);
        bool isNew = !Directory.Exists(target);
        try
        {
            Make(target);
            using var work = TemporaryDirectory.CreateIn(target);
            QaicExecCapabilities tool = QaicExecCapabilities.Of(Path, Clock, stop.Token);
            IReadOnlyList<CompilerArgument> arguments = WithInputs(Arguments(model, options, tool, work.Path), options, work.Path);
            Gate(arguments, tool);
            foreach (QaicExecRun run in QaicExecPlan.For(model, arguments, Hardware(options, tool), IsCompileOnlyNeeded(tool), work.Path))
            {
                string tail = Execute(run, model, tool, options, logger, stop.Token, cancellationToken);
                if (run.Destination is { } destination)
                {
                    Place(run.Output, destination);
                }
                else
                {
                    Check(run, model, tool, tail);
                    Install(System.IO.Path.GetDirectoryName(run.Output)!, target);
                }
            }

            return System.IO.Path.Combine(target, QpcFile.FileName);
        }
        catch (Exception e)
        {
            if (isNew)
            {
                DeleteIfEmpty(target);
            }

            if (e is OperationCanceledException)
            {
                // With the caller's token, not the one that joins it with the time limit.
                cancellationToken.ThrowIfCancellationRequested();
                throw TimedOut(model, options);
            }

            throw;
        }
    }

    private static string Existing(string modelPath)
    {
        string model = System.IO.Path.GetFullPath(modelPath);
        return File.Exists(model) ? model : throw new FileNotFoundException($"There is no model '{model}'.", model);
    }

    private static string NotEmpty(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return path;
    }

    private static QaicExecCandidate Search(string? explicitPath, string origin = OptionOrigin) =>
        Search(explicitPath, origin, out string reason) ?? throw new CompilationException(reason) { Error = CompilationError.CompilerUnavailable };

    // The reason is empty if there is a compiler.
    private static QaicExecCandidate? Search(string? explicitPath, string origin, out string reason)
    {
        IReadOnlyList<QaicExecCandidate> places = QaicExecCandidate.For(
            explicitPath, origin, Environment.GetEnvironmentVariable(QaicExecCandidate.EnvironmentVariable), Environment.GetEnvironmentVariable("PATH"));
        var looked = new StringBuilder();
        foreach (QaicExecCandidate place in places)
        {
            if (place.Refusal() is not { } refusal)
            {
                reason = "";
                return place;
            }

            looked.Append(looked.Length == 0 ? "" : "; ").Append(place).Append(": ").Append(refusal);
        }

        reason = $"The vendor's compiler was not found. Looked at: {looked}. Install the Cloud AI SDK, or set CompilerPath (compiler_path) or {QaicExecCandidate.EnvironmentVariable} to qaic-compile or qaic-exec.";
        return null;
    }

    private static void Make(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The directory '{directory}' for the QPC (OutputDirectory, output_dir) cannot be made: {e.Message}", e);
        }
    }

    private static IReadOnlyList<CompilerArgument> Arguments(string model, QaicOptions options, QaicExecCapabilities tool, string directory)
    {
        IReadOnlyList<CompilerArgument> arguments = WithBatch(OptionTable.CompilerArguments(options), model, options, tool);
        if (options.Specializations.IsDefaultOrEmpty)
        {
            return arguments;
        }

        // The classic form, which every version with that flag reads: values are strings.
        string path = System.IO.Path.Combine(directory, "specializations.json");
        File.WriteAllText(path, SpecializationConfig.FromOptions(options)!.ToJson());
        return [.. arguments, new CompilerArgument("specializations", "network-specialization-config", $"-network-specialization-config={path}")];
    }

    // The tool looks for the files of a list from the working directory only. What is wrong with a list, the tool says.
    private static IReadOnlyList<CompilerArgument> WithInputs(IReadOnlyList<CompilerArgument> arguments, QaicOptions options, string directory)
    {
        if (options.InputListFile is not { } list || FullPaths(list) is not { } text)
        {
            return arguments;
        }

        string path = System.IO.Path.Combine(directory, "inputs.txt");
        QuantizationFiles.Write(path, "list of inputs", stream => stream.Write(QuantizationFiles.Utf8.GetBytes(text)));
        return [.. arguments.Select(a => a.Keyword == "input_list_file" ? a with { Text = $"-{a.Flag}={path}" } : a)];
    }

    private static string? FullPaths(string path)
    {
        InputListFile list;
        try
        {
            list = InputListFile.Load(path);
        }
        catch (Exception e) when (e is QuantizationFormatException or IOException)
        {
            return null;
        }

        try
        {
            return list.WithFullPaths();
        }
        catch (QuantizationFormatException e)
        {
            throw new CompilationException(e.Message, e);
        }
    }

    // The compiler takes the batch by its symbol or, of a model that has none, by number; never both.
    private static IReadOnlyList<CompilerArgument> WithBatch(IReadOnlyList<CompilerArgument> arguments, string model, QaicOptions options, QaicExecCapabilities tool)
    {
        bool IsRaw(string flag) => arguments.Any(a => a.Keyword == RawKeyword && a.Flag == flag);
        CompilerArgument[] others = [.. arguments.Where(a => a.Keyword != BatchKeyword)];
        if (!options.Specializations.IsDefaultOrEmpty || options.NetworkSpecializationConfig is not null || IsRaw("network-specialization-config"))
        {
            return others;
        }

        if (!options.DynamicShapeInput.IsDefaultOrEmpty || IsRaw("batchsize") || tool.Flags?.Contains(SymbolFlag) == false || LeadingSymbol(model) is not { } symbol)
        {
            return arguments;
        }

        return options.OnnxDefineSymbol.ContainsKey(symbol) || arguments.Any(a => a.Keyword == RawKeyword && a.Text.StartsWith($"-{SymbolFlag}={symbol},", StringComparison.Ordinal))
            ? others
            : [new CompilerArgument(BatchKeyword, SymbolFlag, string.Create(CultureInfo.InvariantCulture, $"-{SymbolFlag}={symbol},{options.BatchSize ?? 1}")), .. others];
    }

    // A model in another format than ONNX's has no symbol that could be read; what is wrong with one, the compiler says.
    private static string? LeadingSymbol(string model)
    {
        try
        {
            return OnnxFiles.LeadingSymbol(model);
        }
        catch (Exception e) when (e is QpcFormatException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void Gate(IReadOnlyList<CompilerArgument> arguments, QaicExecCapabilities tool)
    {
        if (tool.Flags is not { } known)
        {
            return;
        }

        CompilerArgument[] unknown = [.. arguments.Where(a => a.Keyword != RawKeyword && !known.Contains(a.Flag)).DistinctBy(a => a.Flag)];
        if (unknown.Length > 0)
        {
            string list = string.Join(" and ", unknown.Select(a => $"-{a.Flag}, which is from option {(OptionTable.Find(a.Keyword)?.ToString() ?? a.Keyword)}"));
            throw new CompilationException(
                $"{Described(tool)} has no flag {list}. Leave the option out, or use an SDK that has the flag. If the tool takes it although its help is silent, "
                + $"pass it as it is by {OptionTable.Find(RawKeyword)}, which is not checked.")
            {
                Error = CompilationError.UnknownOption,
                Arguments = [.. arguments.Select(a => a.Text)],
            };
        }
    }

    // The option's text comes from the table, whatever else the table makes of it. Old tools know the generation by its number only.
    private string Hardware(QaicOptions options, QaicExecCapabilities tool)
    {
        if (OptionTable.CompileValues(options).TryGetValue("aic_hw_version", out string? value))
        {
            return value[(value.LastIndexOf('=') + 1)..];
        }

        return tool.NamesHardware || (tool.Flags is null && IsCompileOnlyTool) ? "ai100" : "2.0";
    }

    private bool IsCompileOnlyTool => Name.StartsWith("qaic-compile", StringComparison.Ordinal);

    // Without it the old tool would go on and run the network on a card. A tool of another name, such as a wrapper, is asked.
    private bool IsCompileOnlyNeeded(QaicExecCapabilities tool) =>
        !IsCompileOnlyTool && (Name.StartsWith("qaic-exec", StringComparison.Ordinal) || tool.Flags?.Contains("compile-only") != false);

    // Returns the end of what it printed.
    private string Execute(QaicExecRun run, string model, QaicExecCapabilities tool, QaicOptions options, ILogger logger, CancellationToken stop, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> texts = run.Texts;
        var output = new QaicExecOutput(logger, Name, new QaicExecDiagnosis(run.Arguments));
        QaicExecLog.Starting(logger, Path, texts);
        int exitCode;
        try
        {
            exitCode = QaicExecProcess.Run(Path, texts, output.Add, stop);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw TimedOut(model, options, run, output);
        }

        if (exitCode != 0)
        {
            (CompilationError error, string explanation, string? line) = output.Diagnosis.Explain(exitCode);
            string says = line is not null ? $" It says: {line}" : output.Tail.Length > 0 ? $" It says last: {output.LastLines(3)}" : " It said nothing.";
            throw Failed(run, model, tool, error, $"{explanation}.{says}", exitCode, output.Tail);
        }

        if (!File.Exists(run.Output))
        {
            string says = output.Tail.Length > 0 ? $" It says last: {output.LastLines(3)}" : "";
            throw Failed(
                run, model, tool, CompilationError.NoOutput,
                $"it reports success (exit code 0), but there is no {System.IO.Path.GetFileName(run.Output)}. Check that the arguments ask for a compilation, and that the disk is not full.{says}", 0, output.Tail);
        }

        return output.Tail;
    }

    private CompilationException TimedOut(string model, QaicOptions options, QaicExecRun? run = null, QaicExecOutput? output = null) =>
        new($"{Name} ({Path}) was ended: it did not {run?.Purpose ?? "compile"} '{model}' within {options.CompileTimeout} s. Raise CompileTimeout (compile_timeout), or leave it out for no limit. "
            + (output?.Tail.Length > 0 ? $"It says last: {output.LastLines(3)}" : "It said nothing."))
        {
            Error = CompilationError.Timeout,
            Arguments = run?.Texts ?? [],
            OutputTail = output?.Tail ?? "",
        };

    private CompilationException Failed(QaicExecRun run, string model, QaicExecCapabilities tool, CompilationError error, string what, int exitCode, string tail, Exception? cause = null) =>
        new($"{Described(tool)} could not {run.Purpose} '{model}': {what}", cause) { Error = error, ExitCode = exitCode, Arguments = run.Texts, OutputTail = tail };

    private void Check(QaicExecRun run, string model, QaicExecCapabilities tool, string tail)
    {
        try
        {
            using var qpc = QpcFile.Open(run.Output);
        }
        catch (QpcFormatException e)
        {
            throw Failed(run, model, tool, CompilationError.DamagedOutput, $"it reports success, but what it wrote is no QPC: {e.Message} Check that the disk is not full.", 0, tail, e);
        }
    }

    // The QPC is renamed last: before that the old one is whole, after that the new one is. What old versions leave beside it is theirs, and goes with it.
    private static void Install(string from, string target)
    {
        string qpc = System.IO.Path.Combine(target, QpcFile.FileName);
        string made = System.IO.Path.Combine(from, QpcFile.FileName);
        try
        {
            using (var file = new FileStream(made, FileMode.Open, FileAccess.ReadWrite))
            {
                // A rename can survive a power cut that the bytes did not.
                file.Flush(flushToDisk: true);
            }

            foreach (string entry in Directory.EnumerateFileSystemEntries(from).Where(e => e != made).ToList())
            {
                string destination = System.IO.Path.Combine(target, System.IO.Path.GetFileName(entry));
                if (Directory.Exists(destination))
                {
                    Directory.Delete(destination, recursive: true);
                }

                if (Directory.Exists(entry))
                {
                    File.Delete(destination);
                    Directory.Move(entry, destination);
                }
                else
                {
                    File.Move(entry, destination, overwrite: true);
                }
            }

            File.Move(made, qpc, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The QPC cannot be put into '{target}' (OutputDirectory, output_dir): {e.Message}", e);
        }
    }

    private static void Place(string file, string destination)
    {
        string full = System.IO.Path.GetFullPath(destination);
        string temporary = $"{full}.{Guid.NewGuid():n}.tmp";
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(full)!);
            File.Copy(file, temporary);
            File.Move(temporary, full, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            File.Delete(temporary);
            throw new IOException($"'{full}' cannot be written: {e.Message}", e);
        }
    }

    private static void DeleteIfEmpty(string directory)
    {
        try
        {
            Directory.Delete(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody else put something there, or it was never made.
        }
    }

    private string Described(QaicExecCapabilities tool) => tool.Version.Length == 0 ? $"{Name} of unknown version ({Path})" : $"{Name} {tool.Version} ({Path})";

    private string Identity(QaicExecCapabilities tool)
    {
        var parts = new List<string> { tool.Version.Length == 0 ? "unknown version" : tool.Version, Stamp(Path) };
        if (CompilerLibrary() is { } library)
        {
            parts.Add($"{LibraryName} {Stamp(library)}");
        }

        if (Environment.GetEnvironmentVariable(UnsupportedVariable) is { Length: > 0 } more)
        {
            parts.Add($"{UnsupportedVariable}={more}");
        }

        return string.Join("; ", parts);
    }

    // Size and time, not a hash: the library has hundreds of megabytes, and packages keep the times of their files.
    private static string Stamp(string path)
    {
        // Of the file itself: the SDK's names are links.
        FileSystemInfo file = File.ResolveLinkTarget(path, returnFinalTarget: true) ?? new FileInfo(path);
        return file is FileInfo { Exists: true } f ? string.Create(CultureInfo.InvariantCulture, $"{f.Length} bytes of {f.LastWriteTimeUtc:yyyy-MM-ddTHH:mm:ss.fffffffZ}") : "missing";
    }

    private string? CompilerLibrary()
    {
        if (Environment.GetEnvironmentVariable(LibraryVariable) is { Length: > 0 } chosen)
        {
            return chosen;
        }

        // The SDK's tree: <root>/exec/qaic-exec, <root>/dev/lib/x86_64.
        string root = System.IO.Path.GetDirectoryName(System.IO.Path.GetDirectoryName(Path)) ?? "/";
        return new[] { root, "/opt/qti-aic" }.Select(r => System.IO.Path.Combine(r, "dev", "lib", "x86_64", LibraryName)).FirstOrDefault(File.Exists);
    }
}
