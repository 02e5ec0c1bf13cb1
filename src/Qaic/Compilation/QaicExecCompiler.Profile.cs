using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Qaic.Options;
using Qaic.Qpc;
using Qaic.Quantization;

namespace Qaic.Compilation;

public sealed partial class QaicExecCompiler
{
    // Where data comes from and where results go is this method's business.
    private static readonly ImmutableHashSet<string> s_sources = ["dump-profile", "load-profile", "convert-to-quantize", "external-quantization", "input-list-file", "dump-custom-IO-config-template"];

    /// <inheritdoc/>
    /// <remarks>
    /// The samples are written as raw files into a temporary directory (see <c>TMPDIR</c>), which needs room for all of them and is deleted at the end, and the tool runs once
    /// with <c>-dump-profile</c>. Their batch is the value of the batch symbol, else <see cref="QaicOptions.BatchSize"/>, else 1. <see cref="QaicOptions.QuantizationCalibration"/>
    /// does not matter: a profile serves all of them. Progress counts rows as they are written, with no tensor observed yet; while the tool runs there is none to tell; when it is done,
    /// one report has all rows and the tensors.
    /// </remarks>
    /// <exception cref="IOException">The temporary directory cannot be written to.</exception>
    /// <exception cref="OperationCanceledException">The profiling was cancelled; the compiler and all it had started have ended.</exception>
    public QuantizationProfile Profile(
        string modelPath,
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(samples);
        using ProfilingRun run = Begin(modelPath, options, logger, cancellationToken);
        foreach (IReadOnlyDictionary<string, Tensor> sample in samples)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Add(run, sample, progress);
        }

        return Complete(run, options, logger, progress, cancellationToken);
    }

    /// <inheritdoc/>
    /// <remarks>As <see cref="Profile"/>; threads of the pool read the data, write the files and run the tool.</remarks>
    public async Task<QuantizationProfile> ProfileAsync(
        string modelPath,
        IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(samples);
        return await Task.Run(Run, CancellationToken.None).ConfigureAwait(false);

        async Task<QuantizationProfile> Run()
        {
            using ProfilingRun run = Begin(modelPath, options, logger, cancellationToken);
            await foreach (IReadOnlyDictionary<string, Tensor> sample in samples.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                Add(run, sample, progress);
            }

            return Complete(run, options, logger, progress, cancellationToken);
        }
    }

    private ProfilingRun Begin(string modelPath, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        options.Validate();
        cancellationToken.ThrowIfCancellationRequested();
        string model = Existing(modelPath);
        if (!options.Specializations.IsDefaultOrEmpty || options.NetworkSpecializationConfig is not null || !options.DynamicShapeInput.IsDefaultOrEmpty)
        {
            throw new CompilationException(
                $"'{model}' is to be profiled for several sets of shapes (Specializations, NetworkSpecializationConfig, DynamicShapeInput). Profile it for one: leave them out, and give the symbols in OnnxDefineSymbol (onnx_define_symbol).")
            {
                Error = CompilationError.MissingSymbol,
            };
        }

        QaicExecCapabilities tool = QaicExecCapabilities.Of(Path, Clock, cancellationToken);
        TemporaryDirectory work = TemporaryDirectory.Create();
        try
        {
            IReadOnlyList<CompilerArgument> arguments = [.. Arguments(model, options, tool, work.Path).Where(a => !s_sources.Contains(a.Flag))];
            return new ProfilingRun(model, tool, arguments, work, new InputListWriter(System.IO.Path.Combine(work.Path, "inputs"), Inputs(model, arguments, options)));
        }
        catch
        {
            work.Dispose();
            throw;
        }
    }

    private static void Add(ProfilingRun run, IReadOnlyDictionary<string, Tensor> sample, IProgress<ProfilingProgress>? progress)
    {
        int before = run.Writer.Inferences;
        run.Writer.Add(sample);
        if (run.Writer.Inferences > before)
        {
            progress?.Report(new ProfilingProgress(run.Writer.Rows, 0));
        }
    }

    private QuantizationProfile Complete(ProfilingRun run, QaicOptions options, ILogger logger, IProgress<ProfilingProgress>? progress, CancellationToken cancellationToken)
    {
        WrittenInputs inputs = run.Writer.Complete();
        using CancellationTokenSource? limit = options.CompileTimeout is { } seconds ? new(TimeSpan.FromSeconds(seconds), Clock) : null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit?.Token ?? CancellationToken.None);
        string file = System.IO.Path.Combine(run.Work.Path, "profile.yaml");
        CompilerArgument[] arguments =
        [
            .. run.Arguments,
            new("input_list_file", "input-list-file", $"-input-list-file={inputs.Path}"),
            new("dump_profile", "dump-profile", $"-dump-profile={file}"),
        ];
        QaicExecRun profiling = QaicExecPlan.For(run.Model, arguments, Hardware(options, run.Tool), IsCompileOnlyNeeded(run.Tool), run.Work.Path)[0];
        Gate(profiling.Arguments.Where(a => a.Keyword.Length > 0).ToList(), run.Tool);
        string tail;
        try
        {
            tail = Execute(profiling, run.Model, run.Tool, options, logger, stop.Token, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // With the caller's token, not the one that joins it with the time limit.
            cancellationToken.ThrowIfCancellationRequested();
            throw;
        }

        try
        {
            QuantizationProfile profile = QuantizationProfile.Load(profiling.Output);
            progress?.Report(new ProfilingProgress(inputs.Rows, profile.Tensors.Count));

            // The file that it was read from is about to go.
            return new QuantizationProfile(profile.ToolsVersion, profile.GraphHash, profile.Entries);
        }
        catch (QuantizationFormatException e)
        {
            throw Failed(profiling, run.Model, run.Tool, CompilationError.DamagedOutput, $"it reports success, but what it wrote is no profile: {e.Message} Check that the disk is not full.", 0, tail, e);
        }
    }

    // The inputs as the tool sees them with these arguments.
    private static List<TensorSpec> Inputs(string model, IReadOnlyList<CompilerArgument> arguments, QaicOptions options)
    {
        IReadOnlyList<OnnxInput> inputs;
        try
        {
            inputs = OnnxFiles.Inputs(model);
        }
        catch (QpcFormatException e)
        {
            throw new CompilationException($"'{model}' is no ONNX model, so its inputs are not known: {e.Message} Profile it with a list of inputs instead: InputListFile (input_list_file) and DumpProfile (dump_profile).", e) { Error = CompilationError.ModelLoad };
        }

        var symbols = new Dictionary<string, int>(StringComparer.Ordinal);
        int? batch = null;
        foreach (CompilerArgument argument in arguments)
        {
            string value = argument.Text[(argument.Text.IndexOf('=', StringComparison.Ordinal) + 1)..];
            int comma = value.LastIndexOf(',');
            if (argument.Flag == SymbolFlag && comma > 0 && Length(value.AsSpan(comma + 1)) is { } length)
            {
                symbols[value[..comma].Trim()] = length;
            }
            else if (argument.Flag == "batchsize")
            {
                batch = Length(value) ?? batch;
            }
        }

        // A tool that was told the batch by number gives it to symbols that lead.
        foreach (string leading in inputs.Select(i => i.LeadingSymbol).OfType<string>())
        {
            if (batch is { } rows)
            {
                symbols.TryAdd(leading, rows);
            }
        }

        int wanted = batch ?? options.BatchSize ?? 1;
        List<TensorSpec> specs = [.. inputs.Select(i => i.Resolve(symbols, wanted, model))];
        return batch is { } asked && !specs.Exists(s => !s.Shape.IsEmpty && s.Shape[0] == asked)
            ? throw new CompilationException($"BatchSize (batch_size) is {asked}, but '{model}' has a batch of its own: {string.Join("; ", specs)}. Leave BatchSize out, or export the model with a symbol for the batch.") { Error = CompilationError.ModelLoad }
            : specs;
    }

    private static int? Length(ReadOnlySpan<char> text) => int.TryParse(text, NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out int value) && value > 0 ? value : null;

    private sealed record ProfilingRun(string Model, QaicExecCapabilities Tool, IReadOnlyList<CompilerArgument> Arguments, TemporaryDirectory Work, InputListWriter Writer) : IDisposable
    {
        public void Dispose() => Work.Dispose();
    }
}
