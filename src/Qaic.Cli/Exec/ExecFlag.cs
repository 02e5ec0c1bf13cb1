using Qaic.Options;

namespace Qaic.Cli.Exec;

/// <summary>A flag of the vendor's tool that is no option of a network: what the tool is to do, and how it runs what it has compiled.</summary>
/// <param name="Name">Without its dash.</param>
/// <param name="Value">What its value is; null for a flag that has none.</param>
/// <param name="Help">What it does.</param>
internal sealed record ExecFlag(string Name, string? Value, string Help)
{
    /// <summary>All of them. Those of networks are in <see cref="OptionTable"/>.</summary>
    public static IReadOnlyList<ExecFlag> All { get; } =
    [
        new("m", "path", "The model: an ONNX file."),
        new("model", "path", "The same as -m."),
        new("aic-hw", null, "Compile for the hardware. Here it is always the simulated card."),
        new("compile-only", null, "Compile and end. Without it the network is run as well, if a flag says how: -num-iter, -time, -input-list-file without profiling, -write-output-dir, -device-id, -aic-num-of-activations."),
        new("v", null, "Tell more of what is done; -vv and -vvv are the same here."),
        new("vv", null, "The same as -v."),
        new("vvv", null, "The same as -v."),
        new("version", null, "Print the version of the compiler and end."),
        new("h", null, "Print the flags and end; -help, --help."),
        new("help", null, "The same as -h."),
        new("u", null, "Print the flags with their meaning and defaults and end; --usage."),
        new("usage", null, "The same as -u."),
        new("operators-supported", "onnx", "Write a list of the operators of a kind of model and end."),
        new("device-id", "int", "Device that runs the network."),
        new("num-iter", "int", "Inferences to run. Default: as many as -input-list-file has, or 1."),
        new("time", "seconds", "How long to run instead."),
        new("aic-num-of-activations", "int", "Activations that run the network. Default: 1."),
        new("use-random-input-data", "gaussian|uniform", "Distribution of made-up data. Default: uniform from 0 to 1; integers are 0 and 1."),
        new("write-output-dir", "directory", "Receives the outputs, as <output>-activation-0-inf-<n>.bin."),
        new("write-output-start-iter", "int", "First inference whose outputs are written. Default: 0."),
        new("write-output-num-samples", "int", "Inferences whose outputs are written. Default: 1."),
    ];

    /// <summary>The flag of this name; null if there is none.</summary>
    public static ExecFlag? Find(string name) => All.FirstOrDefault(f => f.Name == name);
}
