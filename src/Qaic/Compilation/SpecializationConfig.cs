using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Qaic.Compilation;

/// <summary>One set of lengths for a model's symbolic dimensions.</summary>
/// <param name="Name">Its name; null where the file has none.</param>
/// <param name="Symbols">Length of each symbol, 1 or more.</param>
public sealed record Specialization(string? Name, ImmutableSortedDictionary<string, int> Symbols)
{
    /// <summary>For messages: <c>Prefill (batch_size=1, seq_len=128)</c>.</summary>
    public override string ToString()
    {
        string symbols = string.Join(", ", Symbols.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key}={s.Value}")));
        return Name is null ? $"({symbols})" : $"{Name} ({symbols})";
    }
}

/// <summary>The shapes that one QPC is to serve, as the vendor's <c>-network-specialization-config</c> file lists them.</summary>
/// <remarks>
/// <para>Two forms, per entry. Classic: <c>{"specializations":[{"batch_size":"1","seq_len":"128"}]}</c>. Named, for the newest compilers:
/// <c>{"specializations":[{"name":"Prefill","symbols":{"batch_size":"1","seq_len":"128"}}]}</c>. Numbers are written as text, because the vendor's compiler refuses others.</para>
/// <para>All entries define the same symbols, and no two give all of them the same lengths.</para>
/// </remarks>
public sealed class SpecializationConfig
{
    /// <summary>Largest file that is read, in bytes.</summary>
    public const int MaximumFileSize = 1 << 20;

    /// <summary>Most entries that are read.</summary>
    public const int MaximumEntries = 1024;

    private const int MaximumSymbols = 256;
    private const int MaximumNameLength = 256;

    private SpecializationConfig(ImmutableArray<Specialization> entries) => Entries = entries;

    /// <summary>The entries, in the order of the file, which is that of the QPC's sets of shapes; one or more.</summary>
    public ImmutableArray<Specialization> Entries { get; }

    /// <summary>What the options ask for.</summary>
    /// <returns>Null if they name no specializations.</returns>
    /// <exception cref="CompilationException">The file or an entry is wrong, or both options are set.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static SpecializationConfig? FromOptions(QaicOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        const string Option = "Specializations (specializations)";
        if (options.Specializations.IsDefaultOrEmpty)
        {
            return options.NetworkSpecializationConfig is { } path ? Load(path) : null;
        }

        if (options.NetworkSpecializationConfig is not null)
        {
            throw new CompilationException($"Both {Option} and NetworkSpecializationConfig (network_specialization_config) list sets of shapes. Leave one of them out.");
        }

        var entries = ImmutableArray.CreateBuilder<Specialization>();
        foreach (ImmutableDictionary<string, int> entry in options.Specializations)
        {
            string where = $"{Option}, entry {entries.Count}";
            if (entry is null or { Count: 0 })
            {
                throw new CompilationException($"{where}: it defines no symbol. Give every symbol of the model a length.");
            }

            foreach ((string symbol, int length) in entry)
            {
                if (symbol.Length == 0 || length < 1)
                {
                    throw new CompilationException($"{where}: '{symbol}' is {length}. A symbol has a name, and a length of 1 or more.");
                }
            }

            entries.Add(new Specialization(null, entry.ToImmutableSortedDictionary(StringComparer.Ordinal)));
        }

        return Checked(entries.ToImmutable(), (i, problem) => new CompilationException($"{Option}, entry {i}: {problem}"));
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="CompilationException">It is not what it should be; the message says where, by line, column and path in the JSON.</exception>
    public static SpecializationConfig Load(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"There is no file '{path}' with sets of shapes (NetworkSpecializationConfig, network_specialization_config).", path);
        }

        byte[] bytes;
        try
        {
            using FileStream file = File.OpenRead(path);
            bytes = new byte[MaximumFileSize + 1];
            bytes = bytes[..file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CompilationException($"The file '{path}' with sets of shapes (NetworkSpecializationConfig, network_specialization_config) cannot be read: {e.Message}", e);
        }

        return Parse(bytes, path);
    }

    /// <summary>Reads the content of a file.</summary>
    /// <param name="json">UTF-8, with or without a byte order mark.</param>
    /// <param name="source">Name of the file, for messages.</param>
    /// <exception cref="CompilationException">It is not what it should be; the message says where, by line, column and path in the JSON.</exception>
    public static SpecializationConfig Parse(ReadOnlySpan<byte> json, string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        json = json.StartsWith(Encoding.UTF8.Preamble) ? json[Encoding.UTF8.Preamble.Length..] : json;
        if (json.Length > MaximumFileSize)
        {
            throw new CompilationException($"'{source}' is larger than the {MaximumFileSize} bytes that a list of shapes can reasonably have. Check the path.");
        }

        var parser = new Parser(json, source);
        return parser.Parse();
    }

    /// <summary>Writes the classic form, which every version of the vendor's compiler with the option reads; names are left out.</summary>
    /// <remarks>The same entries give the same text, whatever file they came from.</remarks>
    public string ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("specializations"u8);
            foreach (Specialization entry in Entries)
            {
                writer.WriteStartObject();
                foreach ((string symbol, int length) in entry.Symbols)
                {
                    writer.WriteString(symbol, length.ToString(CultureInfo.InvariantCulture));
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>The entries on one line, the same for the same entries: <c>batch,1;seq,128|batch,1;seq,1</c>.</summary>
    public override string ToString() =>
        string.Join('|', Entries.Select(e => string.Join(';', e.Symbols.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key},{s.Value}")))));

    private static SpecializationConfig Checked(ImmutableArray<Specialization> entries, Func<int, string, CompilationException> error)
    {
        for (int i = 1; i < entries.Length; i++)
        {
            string[] missing = [.. entries[0].Symbols.Keys.Except(entries[i].Symbols.Keys)];
            string[] extra = [.. entries[i].Symbols.Keys.Except(entries[0].Symbols.Keys)];
            if (missing.Length + extra.Length > 0)
            {
                string what = missing.Length > 0 ? $"it does not define {Quoted(missing)}, which entry 0 does" : $"it defines {Quoted(extra)}, which entry 0 does not";
                throw error(i, $"{what}. Every entry gives every symbol a length.");
            }

            for (int j = 0; j < i; j++)
            {
                if (entries[j].Symbols.SequenceEqual(entries[i].Symbols))
                {
                    throw error(i, $"it is the same as entry {j}. Entries must differ.");
                }

                if (entries[i].Name is { } name && entries[j].Name == name)
                {
                    throw error(i, $"its name '{name}' is that of entry {j}. Names are given once.");
                }
            }
        }

        return new SpecializationConfig(entries);
    }

    private static string Quoted(IEnumerable<string> names) => string.Join(", ", names.Select(n => $"'{n}'"));

    private ref struct Parser
    {
        private const string Expected = "It should be {\"specializations\":[{\"batch_size\":\"1\",\"seq_len\":\"128\"}, …]}";

        private readonly ReadOnlySpan<byte> _json;
        private readonly string _source;
        private readonly List<long> _positions = [];
        private Utf8JsonReader _reader;

        public Parser(ReadOnlySpan<byte> json, string source)
        {
            _json = json;
            _source = source;
            _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        }

        public SpecializationConfig Parse()
        {
            try
            {
                return Document();
            }
            catch (JsonException e)
            {
                throw new CompilationException(
                    string.Create(CultureInfo.InvariantCulture, $"'{_source}', line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}: this is not JSON: {Text(e)} {Expected}."), e);
            }
        }

        // The reader's own position follows its sentence; ours precedes it.
        private static string Text(JsonException e) => e.Message.Split(" LineNumber: ")[0];

        private SpecializationConfig Document()
        {
            Next();
            Require(JsonTokenType.StartObject, "$", "an object");
            ImmutableArray<Specialization>? entries = null;
            while (Property("$", out string key))
            {
                if (key != "specializations")
                {
                    throw Wrong($"$.{key}", $"there is no such member. {Expected}");
                }

                if (entries is not null)
                {
                    throw Wrong("$.specializations", "it is there twice");
                }

                Next();
                entries = List();
            }

            // Finds what follows the object.
            while (_reader.Read())
            {
            }

            if (entries is null or { IsEmpty: true })
            {
                throw Wrong("$.specializations", $"there is no entry. {Expected}");
            }

            string source = _source;
            var places = new List<string>();
            foreach (long position in _positions)
            {
                places.Add(Place(position));
            }

            return Checked(entries.Value, (i, problem) => new CompilationException($"'{source}', {places[i]}, $.specializations[{i}]: {problem}"));
        }

        private ImmutableArray<Specialization> List()
        {
            Require(JsonTokenType.StartArray, "$.specializations", "a list of entries");
            var entries = ImmutableArray.CreateBuilder<Specialization>();
            for (Next(); _reader.TokenType != JsonTokenType.EndArray; Next())
            {
                string path = $"$.specializations[{entries.Count}]";
                if (entries.Count == MaximumEntries)
                {
                    throw Wrong(path, $"there are more than {MaximumEntries} entries");
                }

                Require(JsonTokenType.StartObject, path, "an object that gives every symbol a length");
                _positions.Add(_reader.TokenStartIndex);
                entries.Add(Entry(path));
            }

            return entries.ToImmutable();
        }

        // Either symbols, or "name" and "symbols". A symbol may be called name: then its value is a number, and there is no object "symbols".
        private Specialization Entry(string path)
        {
            var lengths = ImmutableSortedDictionary.CreateBuilder<string, int>(StringComparer.Ordinal);
            ImmutableSortedDictionary<string, int>? symbols = null;
            string? name = null;
            var seen = new HashSet<string>(StringComparer.Ordinal);
            while (Property(path, out string key))
            {
                string member = $"{path}.{key}";
                if (!seen.Add(key))
                {
                    throw Wrong(member, "it is there twice");
                }

                if (seen.Count > MaximumSymbols)
                {
                    throw Wrong(member, $"there are more than {MaximumSymbols} symbols");
                }

                Next();
                if (key == "symbols" && _reader.TokenType == JsonTokenType.StartObject)
                {
                    symbols = Symbols(member);
                }
                else if (key == "name" && _reader.TokenType == JsonTokenType.String && !IsLength(String(member), out _))
                {
                    name = String(member);
                }
                else
                {
                    lengths.Add(key, Length(member));
                }
            }

            if (symbols is null && name is not null)
            {
                throw Wrong(path, "it has a \"name\" and no \"symbols\". The named form is {\"name\":\"Prefill\",\"symbols\":{\"seq_len\":\"128\"}}");
            }

            if (symbols is not null && lengths.Count > 0)
            {
                // Of the named form, whose name may be a number.
                if (lengths is not { Count: 1 } || !lengths.TryGetValue("name", out int number))
                {
                    throw Wrong(path, $"beside \"symbols\" there is {Quoted(lengths.Keys)}. Put it into \"symbols\"");
                }

                name = number.ToString(CultureInfo.InvariantCulture);
            }

            symbols ??= lengths.ToImmutable();
            return symbols.Count > 0 ? new Specialization(name, symbols) : throw Wrong(path, "it defines no symbol");
        }

        private ImmutableSortedDictionary<string, int> Symbols(string path)
        {
            var symbols = ImmutableSortedDictionary.CreateBuilder<string, int>(StringComparer.Ordinal);
            while (Property(path, out string key))
            {
                string member = $"{path}.{key}";
                if (symbols.ContainsKey(key))
                {
                    throw Wrong(member, "it is there twice");
                }

                if (symbols.Count == MaximumSymbols)
                {
                    throw Wrong(member, $"there are more than {MaximumSymbols} symbols");
                }

                Next();
                symbols.Add(key, Length(member));
            }

            return symbols.ToImmutable();
        }

        private int Length(string path)
        {
            if (_reader.TokenType != JsonTokenType.String)
            {
                string hint = _reader.TokenType == JsonTokenType.Number ? ": the vendor's compiler refuses numbers that are not text" : "";
                throw Wrong(path, $"the length must be a number in quotes, like \"128\"{hint}");
            }

            string text = String(path);
            return IsLength(text, out int length) ? length : throw Wrong(path, $"'{Short(text)}' is no length; it must be a whole number of 1 or more, like \"128\"");
        }

        private static bool IsLength(string text, out int length) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out length) && length >= 1;

        // The next member's name; false at the end of the object.
        private bool Property(string path, out string key)
        {
            Next();
            if (_reader.TokenType == JsonTokenType.EndObject)
            {
                key = "";
                return false;
            }

            key = String(path);
            return key.Length is > 0 and <= MaximumNameLength ? true : throw Wrong(path, $"a name has {key.Length} characters; 1 to {MaximumNameLength} are allowed");
        }

        private string String(string path)
        {
            try
            {
                return _reader.GetString()!;
            }
            catch (InvalidOperationException e)
            {
                // Half of a surrogate pair, or bytes that are no UTF-8.
                throw Wrong(path, $"the text cannot be read: {e.Message}");
            }
        }

        private void Next()
        {
            if (!_reader.Read())
            {
                throw Wrong("$", "the file ends too early");
            }
        }

        private readonly void Require(JsonTokenType type, string path, string what)
        {
            if (_reader.TokenType != type)
            {
                throw Wrong(path, $"it must be {what}. {Expected}");
            }
        }

        private readonly CompilationException Wrong(string path, string problem) => new($"'{_source}', {Place(_reader.TokenStartIndex)}, {Short(path)}: {problem}.");

        private readonly string Place(long position)
        {
            ReadOnlySpan<byte> before = _json[..(int)Math.Min(position, _json.Length)];
            return string.Create(CultureInfo.InvariantCulture, $"line {before.Count((byte)'\n') + 1}, column {before.Length - before.LastIndexOf((byte)'\n')}");
        }

        private static string Short(string text) => text.Length <= 120 ? text : text[..120] + "…";
    }
}
