using System.Collections.Immutable;
using System.Reflection;
using System.Text.Json.Serialization;
using Qaic.Options;

namespace Qaic;

/// <summary>Where networks run.</summary>
public enum QaicBackend
{
    /// <summary>A card that is ready if there is one, else the simulated card, with a warning in the log.</summary>
    Auto,

    /// <summary>A card, or an error that says what is missing.</summary>
    Aic,

    /// <summary>The simulated card.</summary>
    Simulated,
}

/// <summary>Options of compilation, activation and the session. Immutable; vary one with a <c>with</c> expression.</summary>
/// <remarks>Each option is declared once, here. Names follow the vendor's python package; null means the vendor's or the compiler's default.</remarks>
public sealed record QaicOptions
{
    /// <summary>All defaults.</summary>
    public static QaicOptions Default { get; } = new();

    /// <summary>Devices on which the network runs: indices (QID), 0 or more, each once. Default: device 0.</summary>
    [Option(OptionStage.Run, "dev_id", Minimum = 0, Maximum = 0x7fff)]
    public ImmutableArray<int> DeviceIds { get; init; } = [0];

    /// <summary>The first device; setting it makes it the only one.</summary>
    [JsonIgnore]
    public int DeviceId
    {
        get => DeviceIds[0];
        init => DeviceIds = [value];
    }

    /// <summary>Instances of the network that are active on the device at once, 1 or more. Default 1. Cores times activations must not exceed the device's free cores.</summary>
    [Option(OptionStage.Run, "num_activations", Minimum = 1, Maximum = 64)]
    public int NumActivations { get; init; } = 1;

    /// <summary>Inferences in flight per activation, 1 or more. Default 4: enough to hide the hand-over between host and device.</summary>
    [Option(OptionStage.Run, "set_size", Minimum = 1, Maximum = 1024)]
    public int SetSize { get; init; } = 4;

    /// <summary>AI cores that one activation occupies, 1 to 16. Default: the compiler's.</summary>
    [Option(OptionStage.Compile, "aic_num_cores", Minimum = 1, Maximum = 16)]
    public int? NumCores { get; init; }

    /// <summary>Values of the model's symbolic dimensions, by symbol. A symbol that leads every input and output is the batch and needs none; see <see cref="BatchSize"/>.</summary>
    [Option(OptionStage.Compile, "onnx_define_symbol", Minimum = 1)]
    public ImmutableDictionary<string, int> OnnxDefineSymbol { get; init; } = ImmutableDictionary<string, int>.Empty;

    /// <summary>Rows per inference of a model whose batch dimension is free, 1 or more. Default 32. A value for the symbol in <see cref="OnnxDefineSymbol"/> wins.</summary>
    [Option(OptionStage.Compile, "batch_size", Minimum = 1)]
    public int? BatchSize { get; init; }

    /// <summary>Directory that receives the QPC. Default: it stays in the compile cache, or in a temporary directory that lives as long as the session.</summary>
    [Option(OptionStage.Session, "output_dir")]
    public string? OutputDirectory { get; init; }

    /// <summary>Whether compiled networks are kept and found again. Default true.</summary>
    [Option(OptionStage.Session, "use_cache")]
    public bool UseCache { get; init; } = true;

    /// <summary>Directory of the compile cache. Default: <c>QAIC_CACHE_DIR</c>, else the user's cache directory.</summary>
    [Option(OptionStage.Session, "cache_dir")]
    public string? CacheDirectory { get; init; }

    /// <summary>Size that the compile cache is held to, in MiB. Default 16384.</summary>
    [Option(OptionStage.Session, "cache_limit_mib", Minimum = 1)]
    public int CacheLimitMiB { get; init; } = 16384;

    /// <summary>Path of the vendor's compiler. Default: found; see the compilers.</summary>
    [Option(OptionStage.Session, "compiler_path")]
    public string? CompilerPath { get; init; }

    /// <summary>Seconds that a compilation may take. Default: no limit.</summary>
    [Option(OptionStage.Session, "compile_timeout", Minimum = 1)]
    public int? CompileTimeout { get; init; }

    /// <summary>Further arguments for the vendor's compiler, as they are.</summary>
    [Option(OptionStage.Compile, "compiler_args")]
    public ImmutableArray<string> CompilerArguments { get; init; } = [];

    /// <summary>Path of a JSON file with the shapes that one QPC serves, by symbol.</summary>
    [Option(OptionStage.Compile, "network_specialization_config")]
    public string? NetworkSpecializationConfig { get; init; }

    /// <summary>The same as <see cref="NetworkSpecializationConfig"/>, without a file: for each shape set the value of every symbol.</summary>
    [Option(OptionStage.Compile, "specializations", Minimum = 1)]
    public ImmutableArray<ImmutableDictionary<string, int>> Specializations { get; init; } = [];

    /// <summary>Path of a YAML file with the precision of inputs and outputs in the host's buffers.</summary>
    [Option(OptionStage.Compile, "custom_io_list_file")]
    public string? CustomIoListFile { get; init; }

    /// <summary>Path that receives a template for <see cref="CustomIoListFile"/>.</summary>
    [Option(OptionStage.Compile, "dump_custom_io_config_template_file")]
    public string? DumpCustomIoConfigTemplateFile { get; init; }

    /// <summary>Whether latencies are recorded.</summary>
    [Option(OptionStage.Session, "enable_metrics")]
    public bool EnableMetrics { get; init; }

    /// <summary>Whether the phases of each inference are recorded.</summary>
    [Option(OptionStage.Session, "enable_profiling")]
    public bool EnableProfiling { get; init; }

    /// <summary>Where the network runs. Default <see cref="QaicBackend.Auto"/>.</summary>
    [Option(OptionStage.Session, "backend")]
    public QaicBackend Backend { get; init; }

    /// <summary>Checks every value against its range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range; the message names the option as it is written in C# and in python.</exception>
    public void Validate()
    {
        foreach (PropertyInfo property in typeof(QaicOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetCustomAttribute<OptionAttribute>() is not { } option)
            {
                continue;
            }

            switch (property.GetValue(this))
            {
                case int number:
                    Check(number, property.Name, option, null);
                    break;
                case ImmutableArray<int> numbers:
                    foreach (int number in numbers)
                    {
                        Check(number, property.Name, option, null);
                    }

                    break;
                case ImmutableDictionary<string, int> map:
                    foreach ((string key, int number) in map)
                    {
                        Check(number, property.Name, option, key);
                    }

                    break;
            }
        }

        if (OnnxDefineSymbol is null)
        {
            throw new ArgumentNullException(nameof(OnnxDefineSymbol), "Option OnnxDefineSymbol (onnx_define_symbol) must be a dictionary; empty for none.");
        }

        if (!Enum.IsDefined(Backend))
        {
            throw new ArgumentOutOfRangeException(nameof(Backend), Backend, "Option Backend (backend) must be Auto, Aic or Simulated.");
        }
    }

    private static void Check(int value, string name, OptionAttribute option, string? entry)
    {
        if (value < option.Minimum || value > option.Maximum)
        {
            string upper = option.Maximum == int.MaxValue ? "or more" : $"to {option.Maximum}";
            string where = entry is null ? "" : $" for '{entry}'";
            throw new ArgumentOutOfRangeException(name, value, $"Option {name} ({option.Keyword}) must be {option.Minimum} {upper}{where}.");
        }
    }
}
