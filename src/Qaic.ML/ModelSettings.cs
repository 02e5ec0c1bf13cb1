using System.Text.Json;
using System.Text.Json.Serialization;

namespace Qaic.ML;

/// <summary>What a saved model remembers beside its program: everything that is needed to go on as before, on another machine too.</summary>
/// <param name="Columns">Columns and tensors.</param>
/// <param name="Options">The options, without what belongs to a machine: where to run is decided anew when a model is loaded.</param>
/// <param name="NaNPolicy">What happens to NaN.</param>
/// <param name="SqueezeOutputs">Whether outputs of one element are scalars.</param>
internal sealed record ModelSettings(ColumnMap Columns, QaicOptions Options, NaNPolicy NaNPolicy, bool SqueezeOutputs)
{
    /// <summary>Entry of the settings in a saved model.</summary>
    public const string EntryName = "Settings.json";

    /// <summary>Entry of the compiled program in a saved model.</summary>
    public const string ProgramEntryName = "Program.qpc";

    // Unknown members are ignored: a change that older readers must not ignore raises the version in MlNetInternals.
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, Converters = { new JsonStringEnumConverter() } };

    public void Write(Stream stream) =>
        JsonSerializer.Serialize(stream, this with { Options = Options with { Backend = QaicBackend.Auto, DeviceId = 0, OutputDirectory = null, CustomIoListFile = null, DumpCustomIoConfigTemplateFile = null } }, s_json);

    /// <exception cref="FormatException">The settings are damaged.</exception>
    public static ModelSettings Read(Stream stream)
    {
        try
        {
            ModelSettings? settings = JsonSerializer.Deserialize<ModelSettings>(stream, s_json);
            return settings is { Columns: { Inputs.IsDefault: false, Outputs.IsDefault: false }, Options: not null }
                ? settings
                : throw new FormatException($"Entry '{EntryName}' of the saved model lacks columns or options. It was damaged.");
        }
        catch (JsonException e)
        {
            throw new FormatException($"Entry '{EntryName}' of the saved model is not the JSON it should be: {e.Message}", e);
        }
    }
}
