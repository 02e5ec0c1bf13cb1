using System.Text.Json;
using System.Text.Json.Serialization;
using Qaic.Options;

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
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, Converters = { new JsonStringEnumConverter(), new KeywordConverter() } };

    public void Write(Stream stream) =>
        JsonSerializer.Serialize(stream, this with { Options = OfAnyMachine(Options) }, s_json);

    // Without what belongs to this machine: devices, files and directories, and how sessions find and compile; the compiled program has made the files superfluous.
    private static QaicOptions OfAnyMachine(QaicOptions options) => QaicOptions.FromKeywords(
        from given in options.ToKeywords()
        let option = OptionTable.Find(given.Key)!
        where option.File == OptionFile.None && option.Property != nameof(QaicOptions.DeviceIds)
            && (option.Stage != OptionStage.Session || option.Property is nameof(QaicOptions.EnableMetrics) or nameof(QaicOptions.EnableProfiling))
        select KeyValuePair.Create(given.Key, (object?)given.Value));

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
        catch (Exception e) when (e is JsonException or OptionException)
        {
            throw new FormatException($"Entry '{EntryName}' of the saved model is not the JSON it should be: {e.Message}", e);
        }
    }

    // Options are kept by keyword, as everywhere outside of C#: the record may change its shape, keywords do not.
    private sealed class KeywordConverter : JsonConverter<QaicOptions>
    {
        public override void Write(Utf8JsonWriter writer, QaicOptions value, JsonSerializerOptions options) => JsonSerializer.Serialize(writer, value.ToKeywords(), options);

        // As with other members, what a newer writer knows beyond us is ignored. Version 1 of the format had the names of properties.
        public override QaicOptions Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            using var document = JsonDocument.ParseValue(ref reader);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? QaicOptions.FromKeywords(
                    from property in document.RootElement.EnumerateObject()
                    let option = OptionTable.Find(property.Name) ?? OptionTable.All.FirstOrDefault(o => o.Property == property.Name)
                    where option is not null
                    select KeyValuePair.Create(option.Keyword, Plain(property.Value)))
                : throw new JsonException("Options are an object with a value for each keyword.");
        }

        private static object? Plain(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.Object => value.EnumerateObject().Select(p => KeyValuePair.Create(p.Name, Plain(p.Value))).ToArray(),
            JsonValueKind.Array => value.EnumerateArray().Select(Plain).ToArray(),
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Number => value.TryGetInt32(out int whole) ? whole : value.TryGetDecimal(out decimal number) ? number : value.GetRawText(),
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => null,
        };
    }
}
