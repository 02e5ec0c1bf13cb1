using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Qaic.Quantization;

/// <summary>Reads profiles as Glow writes them, and as people and other YAML writers change them.</summary>
/// <remarks>
/// Three documents in this order: <c>GlowToolsVersion</c>, <c>GraphPreLowerHash</c>, the tensors. Order of keys, indentation, line ends, quotes, comments, unknown keys, histograms in
/// brackets or line by line, and the <c>...</c> behind documents are free. Memory is that of what is read and not of the text.
/// </remarks>
internal sealed class ProfileReader
{
    private const string VersionKey = "GlowToolsVersion";
    private const string HashKey = "GraphPreLowerHash";
    private const string NameKey = "NodeOutputName";
    private const string MinKey = "Min";
    private const string MaxKey = "Max";
    private const string HistogramKey = "Histogram";

    // Far above what any tool makes (512); bounds the memory of a damaged file.
    private const int MostBins = 1 << 20;

    private readonly ProfileScanner _text;
    private readonly string _source;
    private readonly List<double> _counts = [];
    private readonly List<TensorStatistics> _tensors = [];
    private readonly Dictionary<string, int> _lines = new(StringComparer.Ordinal);
    private LineKind _line;

    private ProfileReader(StreamReader text, string source)
    {
        _text = new ProfileScanner(text, source);
        _source = source;
    }

    /// <exception cref="QuantizationFormatException">The text is no profile.</exception>
    public static QuantizationProfile Read(Stream stream, string source)
    {
        using var text = new StreamReader(stream, QuantizationFiles.Utf8, detectEncodingFromByteOrderMarks: true, bufferSize: 1 << 14, leaveOpen: true);
        return new ProfileReader(text, source).Profile();
    }

    private QuantizationProfile Profile()
    {
        _line = _text.NextLine();
        if (_line == LineKind.EndOfFile)
        {
            throw _text.Error($"The file is empty. A profile has three documents: {VersionKey}, {HashKey}, and the tensors.");
        }

        Open("first", $"'{VersionKey}: <date>'");
        string version = Header(VersionKey, "first", out int versionLine);
        bool isClosed = _line == LineKind.DocumentEnd;
        Open("second", $"'{HashKey}: 0x<hexadecimal>'");
        string hash = Header(HashKey, "second", out int hashLine);
        isClosed &= _line == LineKind.DocumentEnd;
        Open("third", $"the tensors, '- {NameKey}: …'");
        Tensors();

        // Many writers leave the mark out, but none that writes it twice leaves it out the third time.
        if (isClosed && _line != LineKind.DocumentEnd)
        {
            throw _text.Error("The file was cut off: its first documents end with '...', but the last one does not. Copy or make it again.");
        }

        while (_line == LineKind.DocumentEnd)
        {
            _line = _text.NextLine();
        }

        if (_line != LineKind.EndOfFile)
        {
            throw _text.Error("Here begins a fourth document; a profile has three. Remove it; several profiles cannot be joined in one file.");
        }

        if (string.IsNullOrWhiteSpace(version))
        {
            throw _text.Error($"{VersionKey} is empty; it is the date of the tool that made the profile.", versionLine);
        }

        return new QuantizationProfile(version, Hash(hash, hashLine), _tensors) { Source = _source };
    }

    // Moves from the end of a document to the content of the next one.
    private void Open(string which, string content)
    {
        while (_line == LineKind.DocumentEnd)
        {
            _line = _text.NextLine();
        }

        if (_line == LineKind.DocumentStart)
        {
            _line = _text.NextLine();
        }

        if (_line == LineKind.EndOfFile)
        {
            throw _text.Error($"The file ends before its {which} document, {content}. It was cut off, or is no profile.");
        }

        if (_line != LineKind.Content)
        {
            throw _text.Error($"The {which} document is empty; it must hold {content}.");
        }
    }

    // A mapping with one key that counts.
    private string Header(string wanted, string which, out int line)
    {
        string? value = null;
        line = 0;
        int indent = _text.Indent;
        while (_line == LineKind.Content)
        {
            if (_text.Peek() is '-' or '[')
            {
                throw _text.Error($"Here is a list, where the {which} document with '{wanted}: …' must be. The order is {VersionKey}, {HashKey}, tensors.");
            }

            CheckIndent(indent, wanted);
            int at = _text.Line;
            string key = _text.Key(isInBrackets: false);
            if (key == wanted)
            {
                if (value is not null)
                {
                    throw _text.Error($"{wanted} is there twice; line {line} has it too. Remove one.", at);
                }

                line = at;
                value = new string(_text.Scalar(false, wanted, out _));
                EndLine(wanted);
            }
            else if (key is VersionKey or HashKey or NameKey or MinKey or MaxKey or HistogramKey)
            {
                throw _text.Error($"{key} is in the {which} document, which must hold '{wanted}: …'. The order is {VersionKey}, {HashKey}, tensors, each in a document of its own ('---').", at);
            }
            else
            {
                SkipValue(indent);
            }
        }

        return value ?? throw _text.Error($"The {which} document has no {wanted}. Is this a profile?");
    }

    private ulong Hash(string text, int line)
    {
        bool isHexadecimal = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return ulong.TryParse(isHexadecimal ? text.AsSpan(2) : text, isHexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ulong hash)
            ? hash
            : throw _text.Error($"{HashKey} is '{ProfileScanner.Short(text)}'; it must be 0x and 1 to 16 hexadecimal digits.", line);
    }

    private void Tensors()
    {
        if (_text.Peek() == '[')
        {
            _text.Skip();
            _text.SkipSpace();
            if (_text.Peek() != ']')
            {
                throw _text.Error($"The tensors are in brackets; write each as '- {NameKey}: …' on lines of its own. Only an empty list may be '[]'.");
            }

            _text.Skip();
            EndLine("the empty list of tensors");
        }

        int dash = _text.Indent;
        while (_line == LineKind.Content)
        {
            if (!IsDash() || _text.Indent != dash)
            {
                throw _text.Error($"Here must be the next tensor, '- {NameKey}: …' at column {dash + 1}, and not '{_text.Rest()}'.");
            }

            Tensor(dash);
        }
    }

    private bool IsDash() => _text.Peek() == '-';

    private void Tensor(int dash)
    {
        int line = _text.Line;
        var entry = new Entry();
        _counts.Clear();
        TakeDash($"- {NameKey}: …");
        if (_text.IsEndOfLine())
        {
            _text.SkipLine();
            _line = _text.NextLine();
            if (_line != LineKind.Content || _text.Indent <= dash)
            {
                throw _text.Error($"The entry is empty; it must have {NameKey}, {MinKey}, {MaxKey} and {HistogramKey}.", line);
            }
        }

        if (_text.Peek() == '{')
        {
            InBraces(ref entry);
            EndLine("the entry");
        }
        else
        {
            int indent = _text.Column;
            bool isFirst = true;
            while (isFirst || (_line == LineKind.Content && _text.Indent > dash))
            {
                if (!isFirst)
                {
                    CheckIndent(indent, entry.Name ?? NameKey);
                }

                isFirst = false;
                int at = _text.Line;
                Value(_text.Key(isInBrackets: false), at, ref entry, indent);
            }
        }

        Add(entry, line);
    }

    private void Value(string key, int line, ref Entry entry, int indent)
    {
        entry.See(key, line, _text);
        switch (key)
        {
            case HistogramKey when _text.Peek() == '[':
                InBrackets(entry.Name);
                EndLine(key);
                break;
            case HistogramKey when _text.IsEndOfLine():
                _text.SkipLine();
                LineByLine(indent, entry.Name, line);
                break;
            case HistogramKey:
                throw _text.Error($"The histogram{Of(entry.Name)} must be a list of counts in brackets and not '{_text.Rest()}'.");
            case NameKey or MinKey or MaxKey:
                Scalar(key, isInBrackets: false, ref entry);
                EndLine(key);
                break;
            default:
                SkipValue(indent);
                break;
        }
    }

    private void InBraces(ref Entry entry)
    {
        int start = _text.Line;
        _text.Skip();
        while (true)
        {
            _text.SkipSpace();
            if (_text.Peek() == '}')
            {
                _text.Skip();
                return;
            }

            if (_text.Peek() < 0)
            {
                throw _text.Error("The file ends inside the entry that begins here. It was cut off, or '}' is missing.", start);
            }

            int line = _text.Line;
            string key = _text.Key(isInBrackets: true);
            entry.See(key, line, _text);
            _text.SkipSpace();
            if (key == HistogramKey)
            {
                if (_text.Peek() != '[')
                {
                    throw _text.Error($"The histogram{Of(entry.Name)} must be a list of counts in brackets.");
                }

                InBrackets(entry.Name);
            }
            else if (key is NameKey or MinKey or MaxKey)
            {
                Scalar(key, isInBrackets: true, ref entry);
            }
            else if (_text.Peek() is '[' or '{')
            {
                _text.SkipBrackets();
            }
            else
            {
                _text.Scalar(true, key, out _);
            }

            _text.SkipSpace();
            if (_text.Peek() == ',')
            {
                _text.Skip();
            }
            else if (_text.Peek() != '}')
            {
                throw _text.Peek() < 0 ? _text.Error("The file ends inside the entry that begins here. It was cut off, or '}' is missing.", start) : _text.Error($"Here must be ',' or '}}' and not '{_text.Rest()}'.");
            }
        }
    }

    private void Scalar(string key, bool isInBrackets, ref Entry entry)
    {
        ReadOnlySpan<char> text = _text.Scalar(isInBrackets, key, out bool isQuoted);
        if (key == NameKey)
        {
            entry.Name = text.Length > 0 || isQuoted ? new string(text) : null;
            return;
        }

        double value = Number(text, $"{key}{Of(entry.Name)}");
        float single = float.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
        if (!float.IsFinite(single))
        {
            throw _text.Error($"{key}{Of(entry.Name)} is {value:R}, beyond what a 32 bit float holds (±3.4028235E+38).");
        }

        if (key == MinKey)
        {
            entry.Min = single;
        }
        else
        {
            entry.Max = single;
        }
    }

    private void InBrackets(string? name)
    {
        int start = _text.Line;
        _text.Skip();
        while (true)
        {
            _text.SkipSpace();
            switch (_text.Peek())
            {
                case -1:
                    throw _text.Error($"The file ends inside the histogram{Of(name)} that begins here. It was cut off, or ']' is missing.", start);
                case ']':
                    _text.Skip();
                    return;
            }

            Count(_text.Scalar(true, "a count", out _), name);
            _text.SkipSpace();
            switch (_text.Peek())
            {
                case ',':
                    _text.Skip();
                    break;
                case ']':
                    break;
                case -1:
                    throw _text.Error($"The file ends inside the histogram{Of(name)} that begins here. It was cut off, or ']' is missing.", start);
                default:
                    throw _text.Error($"The histogram{Of(name)} must go on with ',' or end with ']', and not with '{_text.Rest()}'.");
            }
        }
    }

    private void LineByLine(int indent, string? name, int start)
    {
        _line = _text.NextLine();
        int dash = _text.Indent;
        if (_line != LineKind.Content || dash < indent || !IsDash())
        {
            throw _text.Error($"The histogram{Of(name)} is empty; it must be a list of counts.", start);
        }

        while (_line == LineKind.Content && _text.Indent == dash && IsDash())
        {
            TakeDash("- <count>");
            Count(_text.Scalar(false, "a count", out _), name);
            EndLine("a count");
        }
    }

    private void Count(ReadOnlySpan<char> text, string? name)
    {
        double count = 0;
        bool isPlain = text.Length is > 0 and <= 15;
        for (int i = 0; i < text.Length && isPlain; i++)
        {
            isPlain = char.IsAsciiDigit(text[i]);
            count = (count * 10) + (text[i] - '0');
        }

        // Words that are no numbers begin otherwise; what fails is looked at again, for its message.
        if (!isPlain && !(text.Length > 0 && char.IsAsciiDigit(text[0]) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out count) && double.IsFinite(count)))
        {
            count = Number(text, $"Count {_counts.Count + 1} in the histogram{Of(name)}");
        }

        if (count < 0)
        {
            throw _text.Error($"Count {_counts.Count + 1} in the histogram{Of(name)} is {ProfileScanner.Short(text)}; a bin cannot hold fewer than 0 values.");
        }

        if (_counts.Count == MostBins)
        {
            throw _text.Error($"The histogram{Of(name)} has more than {MostBins} bins. Is ']' missing?");
        }

        // Minus zero is read and written as zero.
        _counts.Add(count == 0 ? 0 : count);
    }

    private double Number(ReadOnlySpan<char> text, string what)
    {
        if (text.IsEmpty)
        {
            throw _text.Error($"{what} is missing; it must be a number.");
        }

        ReadOnlySpan<char> word = text.TrimStart("+-.");
        if (word.Equals("nan", StringComparison.OrdinalIgnoreCase))
        {
            throw _text.Error($"{what} is NaN. A profile with it came from data or a network that is broken; find the sample that makes NaN and profile again.");
        }

        if (word.Equals("inf", StringComparison.OrdinalIgnoreCase) || word.Equals("infinity", StringComparison.OrdinalIgnoreCase))
        {
            throw _text.Error($"{what} is infinite. A profile with it came from data or a network that overflows; find the sample that makes it and profile again.");
        }

        return char.IsAsciiDigit(word.IsEmpty ? ' ' : word[0]) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            ? double.IsFinite(value) ? value : throw _text.Error($"{what} is {ProfileScanner.Short(text)}, too large for any number here.")
            : throw _text.Error($"{what} is '{ProfileScanner.Short(text)}'; it must be a number with a decimal point, such as 16777216 or 1.67772e+07.");
    }

    private void Add(Entry entry, int line)
    {
        string? missing = entry.Name is null ? NameKey : entry.Min is null ? MinKey : entry.Max is null ? MaxKey : entry.HasHistogram ? null : HistogramKey;
        if (missing is not null)
        {
            throw _text.Error($"The entry{Of(entry.Name)} has no {missing}; it must have {NameKey}, {MinKey}, {MaxKey} and {HistogramKey}. If it is the last one, the file was cut off.", line);
        }

        if (entry.Name!.Length == 0)
        {
            throw _text.Error($"{NameKey} is empty; it names a node and its output, 'conv1:0'.", line);
        }

        if (entry.Min > entry.Max)
        {
            throw _text.Error(string.Create(CultureInfo.InvariantCulture, $"{MinKey}{Of(entry.Name)} is {entry.Min:R} and {MaxKey} is {entry.Max:R}; the smallest value cannot be above the largest."), line);
        }

        if (!_lines.TryAdd(entry.Name, line))
        {
            throw _text.Error($"'{ProfileScanner.Short(entry.Name)}' is there twice; line {_lines[entry.Name]} has it too. Remove one.", line);
        }

        if (!double.IsFinite(TensorPrimitives.Sum<double>(CollectionsMarshal.AsSpan(_counts))))
        {
            throw _text.Error($"The counts in the histogram of '{ProfileScanner.Short(entry.Name)}' add up to more than any number here; it was damaged. Profile again.", entry.HistogramLine);
        }

        _tensors.Add(new TensorStatistics(entry.Name, entry.Min!.Value, entry.Max!.Value, CollectionsMarshal.AsSpan(_counts)));
    }

    // The value of a key that is not known, with all that belongs to it.
    private void SkipValue(int indent)
    {
        bool isNested = _text.IsEndOfLine();
        switch (_text.Peek())
        {
            case '[' or '{':
                _text.SkipBrackets();
                break;
            case '\'' or '"':
                _text.Scalar(false, "a text", out _);
                break;
        }

        _text.SkipLine();
        _line = _text.NextLine();
        while (_line == LineKind.Content && (_text.Indent > indent || (isNested && _text.Indent == indent && IsDash())))
        {
            _text.SkipLine();
            _line = _text.NextLine();
        }
    }

    private void TakeDash(string what)
    {
        _text.Skip();
        if (_text.Peek() is not (-1 or ' ' or '\t' or '\n'))
        {
            throw _text.Error($"Behind the dash there must be a blank: '{what}'.");
        }

        _text.SkipBlanks();
    }

    private void EndLine(string what)
    {
        _text.EndLine(what);
        _line = _text.NextLine();
    }

    private void CheckIndent(int indent, string what)
    {
        if (_text.Indent != indent)
        {
            throw _text.Error($"This line begins at column {_text.Indent + 1}, the other keys of '{ProfileScanner.Short(what)}' at column {indent + 1}. Indent them alike.");
        }
    }

    private static string Of(string? name) => name is null ? "" : $" of '{ProfileScanner.Short(name)}'";

    private struct Entry
    {
        private int _nameLine;
        private int _minLine;
        private int _maxLine;
        private int _histogramLine;

        public string? Name { get; set; }

        public float? Min { get; set; }

        public float? Max { get; set; }

        public readonly bool HasHistogram => _histogramLine > 0;

        public readonly int HistogramLine => _histogramLine;

        // Each key once.
        public void See(string key, int line, ProfileScanner text)
        {
            int before = key switch
            {
                NameKey => Exchange(ref _nameLine, line),
                MinKey => Exchange(ref _minLine, line),
                MaxKey => Exchange(ref _maxLine, line),
                HistogramKey => Exchange(ref _histogramLine, line),
                _ => 0,
            };
            if (before > 0)
            {
                throw text.Error($"{key}{Of(Name)} is there twice; line {before} has it too. Remove one, or begin the next tensor with '- '.", line);
            }
        }

        private static int Exchange(ref int place, int line)
        {
            int before = place;
            place = line;
            return before;
        }
    }
}
