using System.Collections.Immutable;
using System.Globalization;

namespace Qaic.Options;

/// <summary>A type that options have: how values are read from keywords and YAML, compared, and written.</summary>
/// <remarks>Values are boxed as the property holds them; a null, empty or default collection is the value of an option that is not set.</remarks>
internal abstract class OptionType
{
    private static readonly IntegerType s_integer = new();
    private static readonly TextType s_text = new();
    private static readonly NumberType s_number = new();
    private static readonly SwitchType s_switch = new();
    private static readonly SymbolsType s_symbols = new();

    // Every closed value set with the vendor's spelling; written out, so that no metadata of the enumerations is needed in a trimmed program.
    private static readonly Dictionary<Type, OptionType> s_types = new()
    {
        [typeof(int)] = s_integer,
        [typeof(bool)] = s_switch,
        [typeof(decimal)] = s_number,
        [typeof(string)] = s_text,
        [typeof(ImmutableArray<int>)] = new ListType<int>(s_integer),
        [typeof(ImmutableArray<string>)] = new ListType<string>(s_text),
        [typeof(ImmutableDictionary<string, int>)] = s_symbols,
        [typeof(ImmutableArray<ImmutableDictionary<string, int>>)] = new ListType<ImmutableDictionary<string, int>>(s_symbols),
        [typeof(ImmutableArray<ModelInput>)] = new ListType<ModelInput>(new ModelInputType()),
        [typeof(QaicBackend)] = new ChoiceType<QaicBackend>((QaicBackend.Auto, "auto"), (QaicBackend.Aic, "aic"), (QaicBackend.Simulated, "sim")) { Synonyms = [("simulated", QaicBackend.Simulated), ("qaic", QaicBackend.Aic)] },
        [typeof(QuantizationSchema)] = new ChoiceType<QuantizationSchema>(
            (QuantizationSchema.Asymmetric, "asymmetric"),
            (QuantizationSchema.Symmetric, "symmetric"),
            (QuantizationSchema.SymmetricWithUInt8, "symmetric_with_uint8"),
            (QuantizationSchema.SymmetricWithPower2Scale, "symmetric_with_power2_scale")),
        [typeof(QuantizationCalibration)] = new ChoiceType<QuantizationCalibration>(
            (QuantizationCalibration.None, "None"),
            (QuantizationCalibration.KLMinimization, "KLMinimization"),
            (QuantizationCalibration.KLMinimizationV2, "KLMinimizationV2"),
            (QuantizationCalibration.Percentile, "Percentile"),
            (QuantizationCalibration.Mse, "MSE"),
            (QuantizationCalibration.Sqnr, "SQNR"),
            (QuantizationCalibration.Auto, "auto")),
        [typeof(QuantizationPrecision)] = new ChoiceType<QuantizationPrecision>((QuantizationPrecision.Int8, "Int8"), (QuantizationPrecision.Int16, "Int16")),
        [typeof(BiasPrecision)] = new ChoiceType<BiasPrecision>((BiasPrecision.Int8, "Int8"), (BiasPrecision.Int32, "Int32")),
        [typeof(PmuRecipe)] = new ChoiceType<PmuRecipe>(
            (PmuRecipe.AxiRd, "AxiRd"), (PmuRecipe.AxiWr, "AxiWr"), (PmuRecipe.AxiRdWr, "AxiRdWr"), (PmuRecipe.KernelUtil, "KernelUtil"), (PmuRecipe.HmxMacs, "HmxMacs")),
        [typeof(ImmutableArray<ProfilingType>)] = new ListType<ProfilingType>(
            new ChoiceType<ProfilingType>((ProfilingType.Stats, "stats"), (ProfilingType.Trace, "trace"), (ProfilingType.Latency, "latency"))),
    };

    /// <summary>Name for people, as in python: <c>int</c>, <c>list of str</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Texts of a closed value set; empty for other types.</summary>
    public virtual ImmutableArray<string> Choices => [];

    public static OptionType Of(Type type) => s_types[Nullable.GetUnderlyingType(type) ?? type];

    /// <summary>The value that <paramref name="raw"/> means.</summary>
    /// <exception cref="FormatException">None; the message says what it should be, as a noun: "an integer".</exception>
    public abstract object Read(RawValue raw, OptionForm form);

    /// <summary>The value in types that python and JSON have: bool, int, decimal, string, object[], and dictionaries from string to them.</summary>
    public virtual object Simple(object value) => value;

    /// <summary>The elements of a collection; the value itself for others.</summary>
    public virtual IEnumerable<object> Items(object value) => [value];

    /// <summary>An element as it stands in an argument.</summary>
    public virtual string Text(object item) => Convert.ToString(item, CultureInfo.InvariantCulture)!;

    public virtual bool IsEmpty(object? value) => value is null;

    public bool Same(object? a, object? b) =>
        IsEmpty(a) || IsEmpty(b) ? IsEmpty(a) && IsEmpty(b) : a!.Equals(b) || OptionText.Canonical(Simple(a)) == OptionText.Canonical(Simple(b!));

    private static string Scalar(RawValue raw, string expected) => raw is RawScalar { Value: string text } ? text : throw new FormatException(expected);

    private sealed class IntegerType : OptionType
    {
        public override string Name => "int";

        public override object Read(RawValue raw, OptionForm form) => raw switch
        {
            RawScalar { Value: int number } => number,
            RawScalar { Value: string text } when IsDecimal(text) && int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) => number,
            _ => throw new FormatException("an integer"),
        };

        // No leading zero: python's YAML reads 010 as 8.
        private static bool IsDecimal(string text) => text.TrimStart('-', '+') is var digits && text.Length - digits.Length < 2 && (digits == "0" || digits is [>= '1' and <= '9', ..]);
    }

    private sealed class NumberType : OptionType
    {
        public override string Name => "float";

        public override object Read(RawValue raw, OptionForm form) => raw switch
        {
            RawScalar { Value: int number } => (decimal)number,
            RawScalar { Value: decimal number } => number,
            RawScalar { Value: double number } when Math.Abs(number) < 1e15 => (decimal)number,
            RawScalar { Value: string text } when decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out decimal number) => number,
            _ => throw new FormatException("a number"),
        };
    }

    private sealed class SwitchType : OptionType
    {
        public override string Name => "bool";

        public override object Read(RawValue raw, OptionForm form) => raw switch
        {
            RawScalar { Value: bool value } => value,
            RawScalar { Value: 1 } => true,
            RawScalar { Value: 0 } => false,
            RawScalar { Value: string text } => text.ToUpperInvariant() switch
            {
                "TRUE" or "YES" or "ON" or "1" => true,
                "FALSE" or "NO" or "OFF" or "0" => false,
                _ => throw new FormatException("true or false"),
            },
            _ => throw new FormatException("true or false"),
        };

        public override string Text(object item) => (bool)item ? "true" : "false";
    }

    private sealed class TextType : OptionType
    {
        public override string Name => "str";

        // A number is text too: YAML writes the hardware version 2.0 without quotes.
        public override object Read(RawValue raw, OptionForm form) => raw switch
        {
            RawScalar { Value: string text } => text,
            RawScalar { Value: int or decimal or double } number => Convert.ToString(number.Value, CultureInfo.InvariantCulture)!,
            _ => throw new FormatException("a text"),
        };
    }

    private sealed class ChoiceType<T>(params ImmutableArray<(T Value, string Text)> choices) : OptionType
        where T : struct, Enum
    {
        public override string Name => "str";

        public ImmutableArray<(string Text, T Value)> Synonyms { get; init; } = [];

        public override ImmutableArray<string> Choices { get; } = [.. choices.Select(c => c.Text)];

        public override object Read(RawValue raw, OptionForm form)
        {
            if (raw is RawScalar { Value: T value })
            {
                return value;
            }

            string text = Scalar(raw, Expected);
            foreach ((T choice, string name) in choices.Concat(Synonyms.Select(s => (s.Value, s.Text))))
            {
                if (name.Equals(text, StringComparison.OrdinalIgnoreCase))
                {
                    return choice;
                }
            }

            throw new FormatException(Expected);
        }

        public override object Simple(object value) => Text(value);

        // A number that has no name is written as such: Validate refuses it.
        public override string Text(object item) => choices.FirstOrDefault(c => c.Value.Equals(item)).Text ?? ((Enum)item).ToString("D");

        private string Expected => $"one of {string.Join(", ", Choices)}";
    }

    private sealed class ListType<T>(OptionType elementType) : OptionType
    {
        public override string Name => $"list of {elementType.Name}";

        public override ImmutableArray<string> Choices => elementType.Choices;

        public override object Read(RawValue raw, OptionForm form)
        {
            var values = ImmutableArray.CreateBuilder<T>();
            foreach (RawValue element in Elements(raw, form))
            {
                try
                {
                    values.Add((T)elementType.Read(element, form));
                }
                catch (FormatException e) when (e is not RawFormatException)
                {
                    throw new RawFormatException(element, e.Message);
                }
            }

            return values.ToImmutable();
        }

        // Without a list, a text stands for its parts where the compiler's own syntax has them.
        private static IEnumerable<RawValue> Elements(RawValue raw, OptionForm form) => raw switch
        {
            RawList list => list.Items,
            RawScalar { Value: string text } scalar when form == OptionForm.Raw => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(t => scalar with { Value = t }),
            RawScalar { Value: string text } scalar when form == OptionForm.Joined || typeof(T) == typeof(int) => text.Split(',', StringSplitOptions.TrimEntries).Select(t => scalar with { Value = t }),
            _ => [raw],
        };

        public override object Simple(object value) => Items(value).Select(i => i is null ? "" : elementType.Simple(i)).ToArray();

        public override IEnumerable<object> Items(object value) => value is ImmutableArray<T> { IsDefault: false } items ? items.Select(i => (object)i!) : [];

        public override string Text(object item) => elementType.Text(item);

        public override bool IsEmpty(object? value) => value is not ImmutableArray<T> { IsDefaultOrEmpty: false };
    }

    // The compiler writes a symbol as "name,value"; python as a list of (name, value); YAML as a mapping, or, for ONNX Runtime's provider, as "name,value name,value".
    private sealed class SymbolsType : OptionType
    {
        private const string Expected = "a mapping of symbols to integers, a list of (symbol, integer), or text 'symbol,integer'";

        public override string Name => "map of str to int";

        public override object Read(RawValue raw, OptionForm form)
        {
            var symbols = ImmutableDictionary.CreateBuilder<string, int>(StringComparer.Ordinal);
            foreach ((string symbol, RawValue value, RawValue at) in Pairs(raw))
            {
                if (symbol.Length == 0)
                {
                    throw new RawFormatException(at, Expected);
                }

                int number;
                try
                {
                    number = (int)s_integer.Read(value, form);
                }
                catch (FormatException)
                {
                    throw new RawFormatException(value, $"an integer for the symbol '{symbol}'");
                }

                if (!symbols.TryAdd(symbol, number))
                {
                    throw new RawFormatException(at, $"must have each symbol once, and '{symbol}' is there twice", isPredicate: true);
                }
            }

            return symbols.ToImmutable();
        }

        private static IEnumerable<(string Symbol, RawValue Value, RawValue At)> Pairs(RawValue raw)
        {
            switch (raw)
            {
                case RawMap map:
                    return map.Entries.Select(e => (Scalar(e.Key, Expected), e.Value, (RawValue)e.Key));
                case RawList list:
                    return Tuples(list).SelectMany(item => item is RawList { Items: [RawScalar { Value: string symbol } key, RawScalar value] } ? [(symbol, value, key)] : item is RawList ? throw new RawFormatException(item, Expected) : Pairs(item));
                case RawScalar { Value: string text } scalar:
                    var pairs = new List<(string, RawValue, RawValue)>();
                    for (int at = 0; Next(text, ref at) is { } pair;)
                    {
                        pairs.Add((pair.Symbol, scalar with { Value = pair.Value }, raw));
                    }

                    return pairs;
                default:
                    throw new RawFormatException(raw, Expected);
            }
        }

        // YAML splits [('batch', 1), ('seq', 8)] at each comma.
        private static IEnumerable<RawValue> Tuples(RawList list)
        {
            for (int i = 0; i < list.Items.Length; i++)
            {
                yield return i + 1 < list.Items.Length && list.Items[i] is RawScalar { Value: string left } first && left.StartsWith('(') && !left.EndsWith(')') && list.Items[i + 1] is RawScalar { Value: string right } && right.EndsWith(')')
                    ? Joined(first, $"{left},{right}", ref i)
                    : list.Items[i];
            }

            static RawScalar Joined(RawScalar first, string text, ref int i)
            {
                i++;
                return first with { Value = text };
            }
        }

        public override object Simple(object value) => Items(value).Cast<KeyValuePair<string, int>>().ToDictionary(p => p.Key, p => (object)p.Value, StringComparer.Ordinal);

        public override IEnumerable<object> Items(object value) => ((ImmutableDictionary<string, int>)value).OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => (object)p);

        public override string Text(object item) => item is KeyValuePair<string, int> pair ? string.Create(CultureInfo.InvariantCulture, $"{pair.Key},{pair.Value}") : base.Text(item);

        public override bool IsEmpty(object? value) => value is not ImmutableDictionary<string, int> { IsEmpty: false };

        // The pair at a position; null at the end. Symbols may hold blanks, operators and commas ("past_sequence_length + 1,33"), so a pair ends at the first comma that an integer follows.
        private static (string Symbol, string Value)? Next(string text, ref int at)
        {
            while (at < text.Length && (char.IsWhiteSpace(text[at]) || text[at] is ',' or '[' or ']'))
            {
                at++;
            }

            if (at == text.Length)
            {
                return null;
            }

            for (int comma = text.IndexOf(',', at); comma >= 0; comma = text.IndexOf(',', comma + 1))
            {
                int start = comma + 1;
                while (start < text.Length && text[start] == ' ')
                {
                    start++;
                }

                int end = start;
                while (end < text.Length && (char.IsAsciiDigit(text[end]) || (end == start && text[end] is '-' or '+')))
                {
                    end++;
                }

                bool isTuple = text[at] == '(' && end < text.Length && text[end] == ')';
                int next = isTuple ? end + 1 : end;
                if (end > start && (next == text.Length || char.IsWhiteSpace(text[next]) || text[next] is ',' or ']'))
                {
                    string symbol = text[(isTuple ? at + 1 : at)..comma].Trim();
                    at = next;
                    return (symbol is ['\'', _, .., '\''] or ['"', _, .., '"'] ? symbol[1..^1] : symbol, text[start..end]);
                }
            }

            throw new FormatException(Expected);
        }
    }

    private sealed class ModelInputType : OptionType
    {
        private const string Expected = "a mapping with input_name, input_type and input_shape, or text 'name,type,[shape]'";

        public override string Name => "dict";

        public override object Read(RawValue raw, OptionForm form)
        {
            if (raw is RawScalar { Value: ModelInput or string } scalar)
            {
                return scalar.Value as ModelInput ?? ModelInput.TryParse((string)scalar.Value) ?? throw new FormatException(Expected);
            }

            string? name = null, type = null;
            ImmutableArray<int>? shape = null;
            decimal? scale = null;
            int? offset = null;
            foreach ((RawScalar key, RawValue value) in (raw as RawMap ?? throw new FormatException(Expected)).Entries)
            {
                try
                {
                    switch (key.Value as string)
                    {
                        case "input_name": name = (string)s_text.Read(value, form); break;
                        case "input_type": type = (string)s_text.Read(value, form); break;
                        case "input_shape": shape = (ImmutableArray<int>)Of(typeof(ImmutableArray<int>)).Read(value, OptionForm.Joined); break;
                        case "scale": scale = (decimal)s_number.Read(value, form); break;
                        case "offset": offset = (int)s_integer.Read(value, form); break;
                        default: throw new RawFormatException(key, $"must have input_name, input_type and input_shape for each input (and scale and offset of a quantized type), and no '{key.Value}'", isPredicate: true);
                    }
                }
                catch (FormatException e) when (e is not RawFormatException)
                {
                    throw new RawFormatException(value, $"{e.Message} for {key.Value}");
                }
            }

            string? missing = name is null ? "input_name" : type is null ? "input_type" : shape is null ? "input_shape" : null;
            return missing is null
                ? new ModelInput(name!, type!, shape!.Value) { Scale = scale, Offset = offset }
                : throw new RawFormatException(raw, $"must have input_name, input_type and input_shape for each input, and {(name is null ? "one" : $"'{name}'")} lacks {missing}", isPredicate: true);
        }

        public override object Simple(object value)
        {
            var input = (ModelInput)value;
            var result = new Dictionary<string, object>(StringComparer.Ordinal) { ["input_name"] = input.Name, ["input_type"] = input.Type, ["input_shape"] = input.Dims.Select(d => (object)d).ToArray() };
            if (input.Scale is { } scale)
            {
                result["scale"] = scale;
            }

            if (input.Offset is { } offset)
            {
                result["offset"] = offset;
            }

            return result;
        }
    }
}
