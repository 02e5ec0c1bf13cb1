using System.Collections.Immutable;
using System.Globalization;

namespace Qaic.Options;

/// <summary>What options must be, each and together.</summary>
internal static class OptionRules
{
    private const int MaxPmuEvents = 8;

    // Arguments that every compilation has; the compiler's caller writes them.
    private static readonly string[] s_callers = ["m", "model", "aic-hw", "aic-binary-dir", "aic-hw-version", "compile-only", "version", "h", "help", "u", "usage", "operators-supported"];

    public static void Validate(QaicOptions options)
    {
        foreach (OptionInfo option in OptionTable.All)
        {
            object? value = option.GetValue(options);
            if (value is null && option.PropertyType == typeof(ImmutableDictionary<string, int>))
            {
                throw new ArgumentNullException(option.Property, $"Option {option} must be a dictionary; empty for none.");
            }

            if (value is not null && FirstWrong(option, value) is { } wrong)
            {
                throw wrong.Number is null && option.Choices.Count == 0
                    ? new ArgumentException($"Option {option} {wrong.Message}, not {wrong.Shown}.", option.Property)
                    : new ArgumentOutOfRangeException(option.Property, wrong.Number ?? value, $"Option {option} {wrong.Message}.");
            }
        }

        Dictionary<OptionInfo, string> raw = RawOptions(options);
        foreach (OptionInfo option in OptionTable.All.Where(o => o.IsSet(options) || raw.ContainsKey(o)))
        {
            foreach (RequiresAttribute requires in option.Requires)
            {
                OptionInfo other = OptionTable.ByProperty(requires.Property);
                if (option.IsSet(options) && !other.IsSet(options) && !raw.ContainsKey(other))
                {
                    throw new ArgumentException($"Option {option} needs {other}: {requires.Reason}. Set {other.Property}, or leave out {option.Property}.", option.Property);
                }
            }

            foreach (ExcludesAttribute excludes in option.Excludes)
            {
                OptionInfo other = OptionTable.ByProperty(excludes.Property);
                if ((other.IsSet(options) || raw.ContainsKey(other)) && (Number(other) is not { } number || (number >= excludes.Minimum && number <= excludes.Maximum)))
                {
                    throw new ArgumentException($"Options {Shown(option)} and {Shown(other)} exclude each other: {excludes.Reason}. Leave one out.", option.Property);
                }
            }
        }

        int clusters = options.SdpClusterSizes.IsDefault ? 0 : options.SdpClusterSizes.Sum();
        int cores = options.NumCores ?? 1;
        if (clusters > cores && !raw.ContainsKey(OptionTable.ByProperty(nameof(QaicOptions.NumCores))))
        {
            throw Together(nameof(QaicOptions.SdpClusterSizes), nameof(QaicOptions.NumCores), $"the clusters have {clusters} cores in sum, and the network has {cores}");
        }

        CheckRawArguments(options);

        string Shown(OptionInfo option) => raw.TryGetValue(option, out string? argument) ? $"{OptionTable.ByProperty(nameof(QaicOptions.CompilerArguments))} '{argument}'" : option.ToString();

        int? Number(OptionInfo option) =>
            raw.TryGetValue(option, out string? argument)
                ? int.TryParse(argument[(argument.IndexOf('=', StringComparison.Ordinal) + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) ? number : null
                : option.GetValue(options) as int?;
    }

    // The options whose flag is among the raw arguments, with that argument; without those that are switched off there.
    private static Dictionary<OptionInfo, string> RawOptions(QaicOptions options)
    {
        var raw = new Dictionary<OptionInfo, string>();
        foreach (string argument in options.CompilerArguments.IsDefault ? [] : options.CompilerArguments)
        {
            if (OptionTable.Find(OptionTable.FlagOf(argument)) is { Flag: not null } option && !(option.TypeName == "bool" && argument.Split('=') is [_, "0" or "false" or "False"]))
            {
                raw[option] = argument;
            }
        }

        return raw;
    }

    /// <summary>The first reason why a value, which has the option's type, is none of its values; null if there is none.</summary>
    public static (string Message, string Shown, object? Number)? FirstWrong(OptionInfo option, object value)
    {
        object[] items = [.. option.Type.Items(value)];
        if (option.Property == nameof(QaicOptions.DeviceIds) && items.Length == 0)
        {
            return ("must name at least one device", "an empty list", null);
        }

        foreach (object item in items)
        {
            if (FirstWrongItem(option, item) is { } wrong)
            {
                return wrong;
            }
        }

        if (option.Property is nameof(QaicOptions.DeviceIds) or nameof(QaicOptions.DynamicShapeInput) or nameof(QaicOptions.OutputNodeNames)
            && items.GroupBy(i => i).FirstOrDefault(g => g.Skip(1).Any()) is { } twice)
        {
            return ("must name each one once", $"'{option.Type.Text(twice.Key)}' twice", null);
        }

        return null;
    }

    public static IReadOnlyList<string> Warnings(QaicOptions options)
    {
        var warnings = new List<string>();
        bool profiles = Set(nameof(QaicOptions.DumpProfile)) || options.ConvertToQuantize;
        bool quantizes = profiles || Set(nameof(QaicOptions.LoadProfile)) || Set(nameof(QaicOptions.ExternalQuantizationFile));
        bool isPercentile = options.QuantizationCalibration == QuantizationCalibration.Percentile;
        if (Set(nameof(QaicOptions.PercentileCalibrationValue)) && !isPercentile)
        {
            Warn(nameof(QaicOptions.PercentileCalibrationValue), $"has an effect with {Name(nameof(QaicOptions.QuantizationCalibration))} Percentile only");
        }

        if (isPercentile && options.PercentileCalibrationValue is null or 100)
        {
            Warn(nameof(QaicOptions.QuantizationCalibration), $"is Percentile, which clips nothing at 100; set {Name(nameof(QaicOptions.PercentileCalibrationValue))}");
        }

        if (options.QuantizationCalibration is QuantizationCalibration.KLMinimization or QuantizationCalibration.KLMinimizationV2 && options.NumHistogramBins < 255)
        {
            Warn(nameof(QaicOptions.NumHistogramBins), "is below 255, with which KLMinimization does nothing");
        }

        string[] ofQuantization =
        [
            nameof(QaicOptions.QuantizationSchema), nameof(QaicOptions.QuantizationSchemaActivations), nameof(QaicOptions.QuantizationSchemaConstants), nameof(QaicOptions.QuantizationCalibration),
            nameof(QaicOptions.QuantizationPrecision), nameof(QaicOptions.QuantizationPrecisionBias), nameof(QaicOptions.EnableRowwise), nameof(QaicOptions.EnableChannelwise),
            nameof(QaicOptions.ExecuteNodesInFp16), nameof(QaicOptions.KeepOriginalPrecisionForNodes),
        ];
        if (!quantizes)
        {
            // Nodes keep the model's precision in an FP16 network as well.
            foreach (string property in ofQuantization.Where(p => Set(p) && !(options.ConvertToFp16 && p == nameof(QaicOptions.KeepOriginalPrecisionForNodes))))
            {
                Warn(property, "has an effect in a quantized network only; set LoadProfile (load_profile), ConvertToQuantize (convert_to_quantize) or ExternalQuantizationFile (external_quantization_file)");
            }
        }
        else if (options.QuantizationPrecisionBias is null)
        {
            Warn(nameof(QaicOptions.QuantizationPrecisionBias), "is not set, and compilers differ in their default; set it to Int32 or Int8");
        }

        if (!profiles)
        {
            // With a profile that is there already, data serves to choose the calibration.
            bool chooses = quantizes && options.QuantizationCalibration == QuantizationCalibration.Auto;
            foreach (string property in new[] { nameof(QaicOptions.NumHistogramBins), nameof(QaicOptions.ProfilingThreads), nameof(QaicOptions.InputListFile) }.Where(p => Set(p) && !chooses))
            {
                Warn(property, "has an effect while profiling only; set DumpProfile (dump_profile) or ConvertToQuantize (convert_to_quantize)");
            }
        }
        else if (options.InputListFile is null)
        {
            Warn(nameof(QaicOptions.InputListFile), "is not set, so the profile is made from random data");
        }

        if (Set(nameof(QaicOptions.NodePrecisionInfoFile)) && !quantizes && !options.ConvertToFp16)
        {
            Warn(nameof(QaicOptions.NodePrecisionInfoFile), $"has an effect in a quantized or FP16 network only; set {Name(nameof(QaicOptions.ConvertToFp16))} or a source of quantization, such as {Name(nameof(QaicOptions.LoadProfile))}");
        }

        if (options.SimulateFp16Activations && !options.ConvertToFp16)
        {
            Warn(nameof(QaicOptions.SimulateFp16Activations), $"has an effect with {Name(nameof(QaicOptions.ConvertToFp16))} only");
        }

        if (options.SimulateFakeQuantization && !quantizes)
        {
            Warn(nameof(QaicOptions.SimulateFakeQuantization), $"has an effect in a quantized network only; set a source of quantization, such as {Name(nameof(QaicOptions.LoadProfile))}");
        }

        if (options.MxFp6MatMul && !options.ConvertToFp16)
        {
            Warn(nameof(QaicOptions.MxFp6MatMul), $"is meant for use with {Name(nameof(QaicOptions.ConvertToFp16))}");
        }

        if (options.MulticastWeights && options.NumCores == 1)
        {
            Warn(nameof(QaicOptions.MulticastWeights), $"has an effect from 2 cores up; {Name(nameof(QaicOptions.NumCores))} is 1");
        }

        if (options.StatsBatchSize is { } stats && options.BatchSize is { } rows && stats != rows)
        {
            Warn(nameof(QaicOptions.StatsBatchSize), string.Create(CultureInfo.InvariantCulture, $"is {stats}, and {Name(nameof(QaicOptions.BatchSize))} is {rows}; figures per row will be wrong"));
        }

        if (options.DdrStats && options.StatsLevel is null)
        {
            Warn(nameof(QaicOptions.DdrStats), $"is meant for use with {Name(nameof(QaicOptions.StatsLevel))}");
        }

        if (Set(nameof(QaicOptions.MdpLoadPartitionConfig)) && Set(nameof(QaicOptions.MdpDumpPartitionConfig)))
        {
            Warn(nameof(QaicOptions.MdpLoadPartitionConfig), $"is probably not meant together with {Name(nameof(QaicOptions.MdpDumpPartitionConfig))}");
        }

        if (options.NumCores is { } cores)
        {
            if (options.Ols > cores)
            {
                Warn(nameof(QaicOptions.Ols), $"is larger than {Name(nameof(QaicOptions.NumCores))}");
            }

            if (!options.Mos.IsDefault && options.Mos.Any(m => m > cores))
            {
                Warn(nameof(QaicOptions.Mos), $"is larger than {Name(nameof(QaicOptions.NumCores))}");
            }
        }

        return warnings;

        bool Set(string property) => OptionTable.ByProperty(property).IsSet(options);

        static string Name(string property) => OptionTable.ByProperty(property).ToString();

        void Warn(string property, string what) => warnings.Add($"Option {Name(property)} {what}.");
    }

    private static (string Message, string Shown, object? Number)? FirstWrongItem(OptionInfo option, object item)
    {
        switch (item)
        {
            case int or decimal when !option.IsInRange(Convert.ToDouble(item, CultureInfo.InvariantCulture)):
                return ($"must be {option.Range}", option.Type.Text(item), item);
            case KeyValuePair<string, int> pair when !option.IsInRange(pair.Value):
                return ($"must be {option.Range} for '{pair.Key}'", option.Type.Text(pair.Value), pair.Value);
            case KeyValuePair<string, int> pair when FirstWrongText(option, pair.Key) is { } wrong:
                return wrong;
            case IReadOnlyDictionary<string, int> { Count: 0 }:
                return ("must give each shape set a symbol", "an empty one", null);
            case IReadOnlyDictionary<string, int> map:
                return map.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => FirstWrongItem(option, p)).FirstOrDefault(w => w is not null);
            case ModelInput input when input.Name is null or "" || input.Type is null or "" || input.Dims.Any(d => d < 1) || input.Name.Contains(',') || input.ToString().Any(char.IsControl):
                return ("must give each input a name without commas, a type, and dimensions of 1 or more", $"'{input}'", null);
            case Enum choice when !option.Type.Choices.Contains(option.Type.Text(choice)):
                return ($"must be one of {string.Join(", ", option.Choices)}", option.Type.Text(choice), null);
            case null:
                return ("must not have null among its elements", "null", null);
            case string text:
                return FirstWrongText(option, text);
            default:
                return null;
        }
    }

    private static (string Message, string Shown, object? Number)? FirstWrongText(OptionInfo option, string text)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            return ("must not be empty", "''", null);
        }

        // A control character in an argument or a path is an accident; a zero would even cut it off.
        if (text.Any(char.IsControl))
        {
            return ("must not contain control characters", $"'{string.Concat(text.Select(c => char.IsControl(c) ? '?' : c))}'", null);
        }

        if (option.Form == OptionForm.Joined && text.Contains(','))
        {
            return ("must not contain commas, which separate its elements", $"'{text}'", null);
        }

        return option.Property == nameof(QaicOptions.PmuEvents) && text.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries) is { Length: > MaxPmuEvents } events
            ? ($"must be up to {MaxPmuEvents} events", string.Create(CultureInfo.InvariantCulture, $"{events.Length}"), null)
            : null;
    }

    private static ArgumentException Together(string property, string other, string reason) =>
        new($"Options {OptionTable.ByProperty(property)} and {OptionTable.ByProperty(other)} do not go together: {reason}. Change one.", property);

    private static void CheckRawArguments(QaicOptions options)
    {
        if (options.CompilerArguments.IsDefaultOrEmpty)
        {
            return;
        }

        OptionInfo raw = OptionTable.ByProperty(nameof(QaicOptions.CompilerArguments));
        foreach (string argument in options.CompilerArguments)
        {
            string flag = OptionTable.FlagOf(argument);
            if (!argument.StartsWith('-') || flag.Length == 0)
            {
                throw new ArgumentException($"Option {raw} must be arguments that begin with a dash and a name, not '{argument}'. A value follows its flag in the same argument: -flag=value.", raw.Property);
            }

            if (s_callers.Contains(flag))
            {
                string remedy = OptionTable.Find(flag) is { } its ? $"Use the option {its}." : "Leave it out.";
                throw new ArgumentException($"Option {raw} contains '{argument}', which every compilation says for itself. {remedy}", raw.Property);
            }

            if (OptionTable.Find(flag) is { } option && option.IsSet(options))
            {
                throw new ArgumentException($"Options {raw} and {option} both give -{flag}. Leave one out.", raw.Property);
            }
        }
    }
}
