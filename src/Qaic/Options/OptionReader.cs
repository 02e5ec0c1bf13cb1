namespace Qaic.Options;

/// <summary>Applies keys and values, as they were given, to options.</summary>
internal static class OptionReader
{
    // What the vendor's samples carry along and the call itself says.
    private static readonly string[] s_implied = ["compile_only", "aic_hw"];

    private static readonly Dictionary<string, string> s_arguments = new(StringComparer.OrdinalIgnoreCase)
    {
        ["model_path"] = "the model is an argument of the session",
        ["model"] = "the model is an argument of the session",
        ["m"] = "the model is an argument of the session",
        ["options_path"] = "read the file with QaicOptions.FromYaml",
        ["num_inferences"] = "it is an argument of the benchmark",
        ["inf_time"] = "it is an argument of the benchmark",
        ["input_dict"] = "it is an argument of the run",
    };

    public static QaicOptions Read(IEnumerable<(string Key, RawValue Value, OptionPlace Place)> entries, QaicOptions start)
    {
        QaicOptions result = start with { };
        var seen = new Dictionary<OptionInfo, string>();
        foreach ((string key, RawValue value, OptionPlace place) in entries)
        {
            if (OptionTable.Find(key) is not { } option)
            {
                Unknown(key, value, place);
                continue;
            }

            if (!seen.TryAdd(option, key))
            {
                throw OptionException.At(
                    place, seen[option] == key ? $"Option '{key}' is there twice. Give it once." : $"Option '{key}' is there already, as '{seen[option]}'. Give one of the two.", key);
            }

            option.SetValue(result, Value(option, key, value));
        }

        return result;
    }

    private static object? Value(OptionInfo option, string key, RawValue raw)
    {
        // "None" without quotes is python's null, except where it is one of the values.
        if (raw is RawScalar scalar && (scalar.IsNull || (scalar is { IsPlain: true, Value: "None" } && !option.Choices.Contains("None"))))
        {
            return null;
        }

        object value;
        try
        {
            value = option.Type.Read(raw, option.Form);
        }
        catch (RawFormatException e) when (e.IsPredicate)
        {
            throw OptionException.At(e.Value.Place, $"Option '{key}' {e.Message}.", key);
        }
        catch (RawFormatException e)
        {
            throw Wrong(option, key, e.Value, e.Message, isElement: raw is RawList);
        }
        catch (FormatException e)
        {
            throw Wrong(option, key, raw, e.Message, isElement: false);
        }

        if (OptionRules.FirstWrong(option, value) is { } wrong)
        {
            throw OptionException.At(raw.Place, $"Option '{key}' {wrong.Message}, not {wrong.Shown}.", key);
        }

        return value;
    }

    private static OptionException Wrong(OptionInfo option, string key, RawValue raw, string expected, bool isElement)
    {
        string range = option.Choices.Count > 0 || option.Range.Length == 0 ? "" : $" ({option.Range})";
        string whole = option.TypeName.StartsWith("list", StringComparison.Ordinal) && !isElement ? $"a {option.TypeName}, each {expected}" : expected;
        return OptionException.At(raw.Place, $"Option '{key}' must be {whole}{range}, not {raw.Shown()}.", key);
    }

    private static void Unknown(string key, RawValue value, OptionPlace place)
    {
        string name = OptionTable.Normalize(key);
        if (s_implied.Contains(name))
        {
            if (value is RawScalar { Value: true or "true" or "True" or 1 or "1" })
            {
                return;
            }

            throw OptionException.At(place, $"Option '{key}' can only be true: models are compiled for the hardware, and nothing else is done. Leave it out.", key);
        }

        string advice = s_arguments.TryGetValue(name, out string? argument) ? $"{char.ToUpperInvariant(argument[0])}{argument[1..]}."
            : OptionTable.Nearest(key) is { } nearest ? $"The nearest one is '{nearest}'."
            : "OPTIONS.md lists all; a flag that only the compiler knows goes into 'compiler_args'.";
        throw OptionException.At(place, $"There is no option '{(key.Length > 60 ? key[..60] + "…" : key)}'. {advice}", key);
    }
}
