using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Qaic.Options;

namespace Qaic.Compilation;

/// <summary>A custom IO file (<see cref="QaicOptions.CustomIoListFile"/>): the precision of inputs and outputs in the host's buffers, where it is not the model's.</summary>
/// <remarks>
/// <para>Immutable. YAML: a sequence of entries with the keys <c>IOName</c> and <c>Precision</c>; for int8 and uint8 of a tensor that is real in the model also <c>Scale</c> and <c>Offset</c>
/// (for plain whole numbers: 1 and 0). Keys are compared without case; others are kept and otherwise ignored.</para>
/// <para>The vendor's compiler reads the file itself. What it does with <c>Scale</c> and <c>Offset</c> is not public; start from the template that it dumps.</para>
/// </remarks>
public sealed class CustomIoFile
{
    /// <summary>Size up to which a file is read, in bytes. The largest that exporters write have some 100 KB.</summary>
    public const int MaxBytes = 1 << 20;

    private readonly Dictionary<string, CustomIoEntry> _byName = new(StringComparer.Ordinal);

    /// <summary>Makes a file from entries.</summary>
    /// <exception cref="ArgumentException">Two entries have the same name, a name is empty, or a precision, scale or offset is not possible.</exception>
    public CustomIoFile(params IEnumerable<CustomIoEntry> entries)
        : this([.. entries ?? throw new ArgumentNullException(nameof(entries))], "")
    {
        foreach (CustomIoEntry entry in Entries)
        {
            if (!CustomIoEntry.IsPrecision(entry.Precision ?? "", out string? known) || known != entry.Precision)
            {
                throw new ArgumentException($"'{entry.IoName}' has the precision '{entry.Precision}'; known are {string.Join(", ", CustomIoEntry.KnownPrecisions)}.", nameof(entries));
            }

            if (Objection(entry) is { } objection)
            {
                throw new ArgumentException($"'{entry.IoName}': {objection}", nameof(entries));
            }
        }
    }

    internal CustomIoFile(ImmutableArray<CustomIoEntry> entries, string source)
    {
        Entries = entries;
        Source = source;
        foreach (CustomIoEntry entry in entries)
        {
            if (string.IsNullOrEmpty(entry.IoName) || !_byName.TryAdd(entry.IoName, entry))
            {
                throw new ArgumentException(string.IsNullOrEmpty(entry.IoName) ? "An entry has no name." : $"'{entry.IoName}' has two entries.", nameof(entries));
            }
        }
    }

    /// <summary>The entries, in the file's order.</summary>
    public ImmutableArray<CustomIoEntry> Entries { get; }

    /// <summary>Where the entries were read from, for messages; empty if they were not read.</summary>
    public string Source { get; }

    /// <summary>Reads a file.</summary>
    /// <exception cref="CompilationException">The file is not there, too large, or not as it should be; the message has line and column.</exception>
    public static CustomIoFile Load(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            byte[] bytes = new byte[MaxBytes + 1];
            int length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return length > MaxBytes
                ? throw new CompilationException($"The custom IO file '{path}' is larger than {MaxBytes} bytes; it should hold two lines for every input and output.")
                : Parse(new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes, 0, length), path);
        }
        catch (DecoderFallbackException e)
        {
            throw new CompilationException($"The custom IO file '{path}' is no UTF-8 text (byte {e.Index}). Save it as UTF-8.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new CompilationException($"The custom IO file '{path}' (CustomIoListFile, custom_io_list_file) cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Reads text.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <exception cref="CompilationException">The text is not as it should be; the message has line and column.</exception>
    public static CustomIoFile Parse(string text, string source = "custom IO")
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(source);
        return CustomIoReader.Read(text, source);
    }

    /// <summary>A file that leaves everything as it is: one entry for every tensor, with its own precision, to be edited.</summary>
    /// <param name="tensors">Inputs and outputs; a name that comes twice gets one entry.</param>
    /// <exception cref="ArgumentException">A tensor's type has no precision.</exception>
    public static CustomIoFile Template(IEnumerable<TensorSpec> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        return new CustomIoFile(tensors.DistinctBy(t => t.Name).Select(CustomIoEntry.Of));
    }

    /// <summary>Tensors as the host sees them: with the precision that the file gives them, or unchanged.</summary>
    /// <param name="tensors">All inputs and outputs of the model, with the model's types.</param>
    /// <returns>The same tensors in the same order; real ones as float32, float16, bfloat16, or codes with scale and offset.</returns>
    /// <exception cref="CompilationException">An entry names no tensor, or asks for what cannot be done.</exception>
    public ImmutableArray<TensorSpec> Apply(IEnumerable<TensorSpec> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        TensorSpec[] all = [.. tensors];
        string[] names = [.. all.Select(t => t.Name).Distinct()];
        foreach (CustomIoEntry entry in Entries)
        {
            if (!names.Contains(entry.IoName))
            {
                string hint = Spelling.Nearest(entry.IoName, names) is { } nearest ? $" Did you mean '{nearest}'?" : "";
                throw Error(entry, $"The model has no input or output '{entry.IoName}'.{hint} It has: {string.Join("; ", all.Select(t => t.ToString()))}.");
            }
        }

        return [.. all.Select(t => _byName.TryGetValue(t.Name, out CustomIoEntry? entry) ? Apply(entry, t) : t)];
    }

    /// <summary>The file's text, in the vendor's form: a blank before each entry, three before its further keys, an empty line after it.</summary>
    public string ToYaml()
    {
        var text = new StringBuilder();
        foreach (CustomIoEntry entry in Entries)
        {
            text.Append(CultureInfo.InvariantCulture, $" - IOName: {CustomIoReader.Plain(entry.IoName)}\n   Precision: {entry.Precision}\n");
            if (entry.Scale is { } scale)
            {
                text.Append(CultureInfo.InvariantCulture, $"   Scale: {scale:R}\n");
            }

            if (entry.Offset is { } offset)
            {
                text.Append(CultureInfo.InvariantCulture, $"   Offset: {offset}\n");
            }

            foreach ((string key, string value) in entry.OtherKeys)
            {
                text.Append(CultureInfo.InvariantCulture, $"   {CustomIoReader.Plain(key)}: {value}\n");
            }

            text.Append('\n');
        }

        return text.Length > 0 ? text.ToString() : "[]\n";
    }

    /// <summary>Writes the file, in the vendor's form.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        File.WriteAllText(path, ToYaml());
    }

    /// <summary>What is wrong with an entry's scale or offset for its precision, whatever the tensor; null if nothing.</summary>
    internal static string? Objection(CustomIoEntry entry)
    {
        (int lowest, int highest)? range = entry.Precision switch { "uint8" => (byte.MinValue, byte.MaxValue), "int8" => (sbyte.MinValue, sbyte.MaxValue), _ => null };
        return range is not { } codes
            ? entry.Scale is null && entry.Offset is null ? null : $"Scale and Offset are for the precisions int8 and uint8; {entry.Precision} has none. Remove them."
            : entry.Scale is null != entry.Offset is null
            ? $"{(entry.Scale is null ? "Offset" : "Scale")} stands alone; a code q stands for Scale × (q - Offset). Give both, or neither for a tensor that is {entry.Precision} in the model."
            : entry.Scale is { } scale && !(scale > 0 && float.IsFinite(scale))
            ? $"Scale is {scale.ToString(CultureInfo.InvariantCulture)}; it must be above 0 and finite, as a 32-bit float."
            : entry.Offset is { } offset && (offset < codes.lowest || offset > codes.highest)
            ? $"Offset is {offset}; it is the code of 0, so for {entry.Precision} it must be {codes.lowest} to {codes.highest}."
            : null;
    }

    private TensorSpec Apply(CustomIoEntry entry, TensorSpec tensor)
    {
        if (entry.ElementType is not { } type)
        {
            throw Error(
                entry,
                $"'{tensor.Name}' is asked for as mxint8, whose blocks of 32 with a common exponent no buffer type here describes; only the vendor's compiler takes it. Use float16, or int8 with Scale and Offset.");
        }

        bool isReal = tensor.ElementType is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16;
        if (type is ElementType.Int8 or ElementType.UInt8 && isReal)
        {
            string unknown = entry.OtherKeys.IsEmpty ? "" : $" Keys that are not understood: {string.Join(", ", entry.OtherKeys.Select(k => $"'{k.Key}'"))}.";
            return entry is { Scale: { } scale, Offset: { } offset }
                ? tensor with { ElementType = type == ElementType.Int8 ? ElementType.Int8Q : ElementType.UInt8Q, Scale = scale, Offset = offset }
                : throw Error(
                    entry,
                    $"'{tensor.Name}' is {tensor.ElementType} in the model, so {entry.Precision} needs Scale and Offset: a code q stands for Scale × (q - Offset); Scale: 1 and Offset: 0 for plain whole numbers.{unknown}");
        }

        if (entry.Scale is not null)
        {
            throw Error(entry, $"'{tensor.Name}' is {tensor.ElementType} in the model, so its {entry.Precision} elements are whole numbers and no codes. Remove Scale and Offset.");
        }

        return type == tensor.ElementType || (isReal && type is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16)
            ? tensor with { ElementType = type }
            : throw Error(
                entry,
                $"'{tensor.Name}' is {(tensor.IsBoolean ? "bool" : tensor.ElementType)} in the model and cannot be {entry.Precision} for the host: only real tensors (float, float16, bfloat16) change their precision, "
                + $"to float32, float16, bfloat16, int8 or uint8. {(tensor.IsBoolean ? "Write uint8, or remove the entry." : "Remove the entry, or cast in the model.")}");
    }

    private CompilationException Error(CustomIoEntry entry, string message) =>
        new(entry.Line > 0 ? $"{Source}({entry.Line},{entry.Column}): {message}" : $"Custom IO: {message}");
}
