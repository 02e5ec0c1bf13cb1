using System.Collections;
using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Qaic.Options;

/// <summary>A value as it was given, before the type of its option is applied to it, with its place.</summary>
internal abstract record RawValue(OptionPlace Place)
{
    public const int MaxDepth = 8;

    /// <summary>Takes python-like objects: null, bool, numbers, text, enumerations, tuples, sequences, dictionaries.</summary>
    /// <exception cref="FormatException">The object is none of these, or nested too deeply; the message says what values are.</exception>
    public static RawValue From(object? value, int depth = 0)
    {
        if (depth > MaxDepth)
        {
            throw new FormatException($"a value nested at most {MaxDepth} deep");
        }

        return value switch
        {
            null or bool or string or int or decimal or double or Enum or ModelInput => Scalar(value),
            // To decimal at once: as a double, 0.1f is 0.100000001490116.
            float single => Math.Abs(single) < 1e15f ? Scalar((decimal)single) : Scalar((double)single),
            sbyte or byte or short or ushort or uint or long or ulong or nint or nuint => Whole((IConvertible)value),
            IDictionary map => new RawMap([.. Entries(map).Select(e => Entry(e.Key, e.Value, depth))], default),
            KeyValuePair<string, int> pair => new RawMap([Entry(pair.Key, pair.Value, depth)], default),
            KeyValuePair<string, object?> pair => new RawMap([Entry(pair.Key, pair.Value, depth)], default),
            IEnumerable<KeyValuePair<string, int>> pairs => new RawMap([.. pairs.Select(p => Entry(p.Key, p.Value, depth))], default),
            IEnumerable<KeyValuePair<string, object?>> pairs => new RawMap([.. pairs.Select(p => Entry(p.Key, p.Value, depth))], default),
            ITuple tuple => new RawList([.. Enumerable.Range(0, tuple.Length).Select(i => From(tuple[i], depth + 1))], default),
            IEnumerable items => new RawList([.. items.Cast<object?>().Select(i => From(i, depth + 1))], default),
            _ => throw new FormatException($"a bool, number, text, list or dictionary, not a {value.GetType().Name}"),
        };
    }

    /// <summary>The value in an error message, short.</summary>
    public abstract string Shown();

    private static RawScalar Scalar(object? value) => new(value, IsPlain: false, default);

    // What no option's range holds is kept as text, so that the message shows it.
    private static RawScalar Whole(IConvertible number) =>
        decimal.TryParse(number.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture, out decimal whole) && whole is >= int.MinValue and <= int.MaxValue ? Scalar((int)whole) : Scalar(number.ToString(CultureInfo.InvariantCulture));

    private static IEnumerable<(object Key, object? Value)> Entries(IDictionary map)
    {
        IDictionaryEnumerator entries = map.GetEnumerator();
        while (entries.MoveNext())
        {
            yield return (entries.Key, entries.Value);
        }
    }

    private static KeyValuePair<RawScalar, RawValue> Entry(object key, object? value, int depth) => new(Scalar(key as string ?? throw new FormatException("a dictionary with text as keys")), From(value, depth + 1));
}

/// <summary>Null, bool, int, double, decimal, string, an enumeration or a <see cref="ModelInput"/>; from YAML text only, which is plain if it is without quotes, so that <c>null</c> means nothing.</summary>
internal sealed record RawScalar(object? Value, bool IsPlain, OptionPlace Place) : RawValue(Place)
{
    public bool IsNull => Value is null || (IsPlain && Value is "" or "~" or "null" or "Null" or "NULL");

    public override string Shown()
    {
        string text = Convert.ToString(Value, CultureInfo.InvariantCulture) ?? "null";
        return $"'{(text.Length > 60 ? text[..60] + "…" : text)}'";
    }
}

internal sealed record RawList(ImmutableArray<RawValue> Items, OptionPlace Place) : RawValue(Place)
{
    public override string Shown() => $"a list of {Items.Length}";
}

internal sealed record RawMap(ImmutableArray<KeyValuePair<RawScalar, RawValue>> Entries, OptionPlace Place) : RawValue(Place)
{
    public override string Shown() => "a mapping";
}

/// <summary>What an element should have been, as a noun; or, as a predicate, what is wrong with a value of the right kind: "must have ...".</summary>
internal sealed class RawFormatException(RawValue value, string expected, bool isPredicate = false) : FormatException(expected)
{
    public RawValue Value { get; } = value;

    public bool IsPredicate { get; } = isPredicate;
}
