using System.Collections.Frozen;
using Qaic.Options;

namespace Qaic.Compilation;

/// <summary>One run of the vendor's compiler.</summary>
/// <param name="Purpose">What it does to the model, for messages: <c>compile</c>.</param>
/// <param name="Arguments">Its arguments, in order.</param>
/// <param name="Output">The file that it must write.</param>
/// <param name="Destination">Where that file belongs; null for the QPC.</param>
internal sealed record QaicExecRun(string Purpose, IReadOnlyList<CompilerArgument> Arguments, string Output, string? Destination)
{
    /// <summary>The arguments as they are passed.</summary>
    public IReadOnlyList<string> Texts => [.. Arguments.Select(a => a.Text)];
}

/// <summary>Which runs of the vendor's compiler make a QPC from a model, and which options belong to which.</summary>
internal static class QaicExecPlan
{
    private const string DumpProfile = "dump-profile";
    private const string LoadProfile = "load-profile";
    private const string DumpTemplate = "dump-custom-IO-config-template";
    private const string HardwareVersion = "aic-hw-version";

    // They describe the graph as it is read. The profile carries a hash of that graph, so the run that makes it and the run that loads it must agree on them.
    // Arithmetic, schemas and the card's cores come later: one profile serves them all.
    private static readonly FrozenSet<string> s_graph = Set(
        "onnx-define-symbol", "batchsize", "model-input", "output-node-name", "node-precision-info", "custom-IO-list-file", "always-expand-onnx-functions", "sub-functions",
        "register-custom-op", "load-embedding-tables", "network-specialization-config", "dynamic-shape-input", "enable-debug", "v", "vv", "vvv");

    // They matter where data is profiled, and nowhere else.
    private static readonly FrozenSet<string> s_profiling = Set("input-list-file", "num-histogram-bins", "profiling-threads");

    // A template is made from the model alone: nothing that reads data or results of other runs, nothing that writes another file.
    private static readonly FrozenSet<string> s_notForTemplate = Set(
        "custom-IO-list-file", LoadProfile, "convert-to-quantize", "external-quantization", "mdp-load-partition-config", "mdp-dump-partition-config", "dump-embedding-tables");

    private static readonly FrozenSet<string> s_ours = Set("m", "model", "aic-binary-dir");

    /// <summary>The runs, in order; the last one compiles.</summary>
    /// <param name="model">Path of the model.</param>
    /// <param name="options">The options as arguments.</param>
    /// <param name="hardware">Value of <c>-aic-hw-version</c> if the options have none.</param>
    /// <param name="compileOnly">Whether the tool runs what it has compiled unless it is told not to.</param>
    /// <param name="directory">Directory for results; the QPC's is in it, and is for the compiler to make.</param>
    /// <exception cref="ArgumentException">The options hold an argument that is given here.</exception>
    public static IReadOnlyList<QaicExecRun> For(string model, IReadOnlyList<CompilerArgument> options, string hardware, bool compileOnly, string directory)
    {
        if (options.FirstOrDefault(o => s_ours.Contains(o.Flag)) is { Text: not null } ours)
        {
            throw new ArgumentException($"'{ours.Text}' in {(OptionTable.Find(ours.Keyword)?.ToString() ?? ours.Keyword)} is given by the session. Pass the model as the model, and the directory as OutputDirectory (output_dir).", nameof(options));
        }

        string? template = Value(options, DumpTemplate);
        string? profile = Value(options, DumpProfile);
        CompilerArgument modelArgument = Own("m", model);
        CompilerArgument[] target = [.. Missing("aic-hw"), .. Missing(HardwareVersion, hardware)];
        CompilerArgument[] plain = [.. options.Where(o => o.Flag is not (DumpProfile or DumpTemplate))];
        var runs = new List<QaicExecRun>();
        if (template is not null)
        {
            string file = Path.Combine(directory, "template.yaml");
            runs.Add(new(
                "make a template of the custom I/O of",
                [modelArgument, .. target, .. plain.Where(o => !s_notForTemplate.Contains(o.Flag) && !s_profiling.Contains(o.Flag)), Own(DumpTemplate, file)],
                file,
                template));
        }

        if (profile is not null)
        {
            // As the public MLPerf recipes do it: without a target, because the data runs through the model on this machine.
            string file = Path.Combine(directory, "profile.yaml");
            runs.Add(new(
                "profile",
                [modelArgument, .. plain.Where(o => s_graph.Contains(o.Flag) || s_profiling.Contains(o.Flag) || IsRaw(o)), Own(DumpProfile, file)],
                file,
                profile));
            plain = [.. plain.Where(o => !s_profiling.Contains(o.Flag)), Own(LoadProfile, profile)];
        }

        string binaries = Path.Combine(directory, "qpc");
        runs.Add(new(
            "compile",
            [modelArgument, .. target, .. plain, Own("aic-binary-dir", binaries), .. compileOnly ? Missing("compile-only") : []],
            Path.Combine(binaries, Qpc.QpcFile.FileName),
            null));
        return runs;

        IEnumerable<CompilerArgument> Missing(string flag, string? value = null) => options.Any(o => o.Flag == flag) ? [] : [Own(flag, value)];
    }

    // Raw arguments are for flags that are not known here, so no run can do without them for sure. All runs take the flags of a compilation.
    private static bool IsRaw(CompilerArgument argument) => argument.Keyword == QaicExecCompiler.RawKeyword;

    private static CompilerArgument Own(string flag, string? value = null) => new("", flag, value is null ? $"-{flag}" : $"-{flag}={value}");

    private static string? Value(IReadOnlyList<CompilerArgument> options, string flag)
    {
        CompilerArgument argument = options.LastOrDefault(o => o.Flag == flag);
        if (argument.Text is null)
        {
            return null;
        }

        int equals = argument.Text.IndexOf('=', StringComparison.Ordinal);
        return equals >= 0 && equals + 1 < argument.Text.Length
            ? argument.Text[(equals + 1)..]
            : throw new ArgumentException($"'{argument.Text}' in {(OptionTable.Find(argument.Keyword)?.ToString() ?? argument.Keyword)} needs the path of a file: -{flag}=<path>.", nameof(options));
    }

    private static FrozenSet<string> Set(params string[] flags) => flags.ToFrozenSet(StringComparer.Ordinal);
}
