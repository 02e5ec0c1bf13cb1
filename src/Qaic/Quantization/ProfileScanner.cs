using System.Buffers;
using System.Globalization;
using System.Text;

namespace Qaic.Quantization;

/// <summary>What begins at the place where <see cref="ProfileScanner.NextLine"/> stops.</summary>
internal enum LineKind
{
    /// <summary>Nothing more.</summary>
    EndOfFile,

    /// <summary><c>---</c>.</summary>
    DocumentStart,

    /// <summary><c>...</c>.</summary>
    DocumentEnd,

    /// <summary>Anything else, at column <see cref="ProfileScanner.Indent"/>.</summary>
    Content,
}

/// <summary>Cuts the text of a profile into lines, keys and scalars while it is read, in memory that does not grow with it.</summary>
/// <remarks>The part of YAML that profiles are made of: block mappings and sequences, brackets, scalars on one line, quotes, comments. All line ends count as one <c>\n</c>.</remarks>
internal sealed class ProfileScanner(TextReader reader, string source)
{
    /// <summary>Longest key, name or number, in characters.</summary>
    private const int LongestToken = 1 << 16;

    private const int BufferSize = 1 << 14;

    // A text has no others; a binary file soon has one.
    private static readonly SearchValues<char> s_control = SearchValues.Create([.. Enumerable.Range(0, 32).Select(c => (char)c).Except(['\t', '\n', '\r']), '\u007f']);

    private readonly char[] _buffer = new char[BufferSize];
    private char[] _token = new char[256];
    private int _position;
    private int _length;
    private int _column;

    /// <summary>Line of the next character, from 1.</summary>
    public int Line { get; private set; } = 1;

    /// <summary>Column of the next character, from 0.</summary>
    public int Column => _column;

    /// <summary>Column at which the line's content begins.</summary>
    public int Indent { get; private set; }

    /// <summary>The next character; -1 at the end. A carriage return, with or without a line feed, is <c>\n</c>.</summary>
    public int Peek() => _position < _length || Fill() ? (_buffer[_position] is var c && c == '\r' ? '\n' : c) : -1;

    /// <summary>Passes over the next character.</summary>
    public void Skip()
    {
        char c = _buffer[_position++];
        _column++;
        if (c is '\n' or '\r')
        {
            if (c == '\r' && (_position < _length || Fill()) && _buffer[_position] == '\n')
            {
                _position++;
            }

            Line++;
            _column = 0;
        }
    }

    public QuantizationFormatException Error(string reason, int line = 0) => new(source, line == 0 ? Line : line, reason);

    /// <summary>Moves to the next line that is neither blank nor a comment, over the marks of documents. Call it at the end of a line, or after a mark.</summary>
    public LineKind NextLine()
    {
        while (true)
        {
            bool isTabbed = false;
            while (Peek() is ' ' or '\t')
            {
                isTabbed |= Peek() == '\t';
                Skip();
            }

            switch (Peek())
            {
                case -1:
                    return LineKind.EndOfFile;
                case '\n':
                    Skip();
                    continue;
                case '#':
                    SkipLine();
                    continue;
            }

            if (isTabbed)
            {
                throw Error("The line is indented with a tab, which YAML does not allow. Use blanks.");
            }

            Indent = Column;
            if (Indent == 0 && Peek() == '%')
            {
                SkipLine();
                continue;
            }

            return Indent > 0 ? LineKind.Content : TakeMark("---") ? LineKind.DocumentStart : TakeMark("...") ? LineKind.DocumentEnd : LineKind.Content;
        }
    }

    /// <summary>Passes over blanks of the line.</summary>
    public void SkipBlanks()
    {
        while (Peek() is ' ' or '\t')
        {
            Skip();
        }
    }

    /// <summary>Passes over blanks, line ends and comments, as they may stand inside brackets.</summary>
    public void SkipSpace()
    {
        while (Peek() is ' ' or '\t' or '\n' or '#')
        {
            if (Peek() == '#')
            {
                SkipLine();
            }
            else
            {
                Skip();
            }
        }
    }

    /// <summary>Passes over the rest of the line.</summary>
    public void SkipLine()
    {
        while (Peek() is not (-1 or '\n'))
        {
            Skip();
        }
    }

    /// <summary>Whether nothing but a comment is left of the line.</summary>
    public bool IsEndOfLine()
    {
        SkipBlanks();
        return Peek() is -1 or '\n' or '#';
    }

    /// <summary>The end of a line that has said all it should.</summary>
    public void EndLine(string what)
    {
        if (!IsEndOfLine())
        {
            throw Error($"There is more behind {what}: '{Rest()}'. Remove it, or quote the value.");
        }

        SkipLine();
    }

    /// <summary>A scalar on one line, without its quotes. Valid until the next one is read.</summary>
    /// <param name="isInBrackets">Whether comma and closing brackets end it.</param>
    /// <param name="what">What is read, for messages.</param>
    /// <param name="isQuoted">Whether it stood in quotes.</param>
    public ReadOnlySpan<char> Scalar(bool isInBrackets, string what, out bool isQuoted)
    {
        isQuoted = Peek() is '\'' or '"';
        return isQuoted ? Quoted(what) : Plain(isInBrackets, isKey: false, what);
    }

    /// <summary>A key and the colon behind it.</summary>
    public string Key(bool isInBrackets)
    {
        string key = new(Peek() is '\'' or '"' ? Quoted("a key") : Plain(isInBrackets, isKey: true, "a key"));
        SkipBlanks();
        if (Peek() != ':')
        {
            throw Error(key.Length > 0 ? $"Behind '{Short(key)}' there is no colon; here must be a key, a colon and its value." : $"Here must be a key and not '{Rest()}'.");
        }

        Skip();
        SkipBlanks();
        return key;
    }

    /// <summary>Passes over a list or mapping in brackets, whatever is in it.</summary>
    public void SkipBrackets()
    {
        int start = Line;
        long depth = 0;
        bool isAtStart = true;
        do
        {
            switch (Peek())
            {
                case -1:
                    throw Error("The file ends inside the brackets that begin here. It was cut off, or the closing bracket is missing.", start);
                case '[' or '{':
                    depth++;
                    isAtStart = true;
                    break;
                case ']' or '}':
                    depth--;
                    break;
                case '\'' or '"' when isAtStart:
                    Quoted("a text");
                    isAtStart = false;
                    continue;
                case ',' or ':' or ' ' or '\n':
                    isAtStart = true;
                    break;
                default:
                    isAtStart = false;
                    break;
            }

            Skip();
        }
        while (depth > 0);
    }

    /// <summary>What follows on the line, for messages.</summary>
    public string Rest()
    {
        var rest = new StringBuilder();
        while (rest.Length < 40 && Peek() is not (-1 or '\n'))
        {
            rest.Append((char)Peek());
            Skip();
        }

        return rest.Length < 40 ? rest.ToString().TrimEnd() : $"{rest}…";
    }

    public static string Short(ReadOnlySpan<char> text) => text.Length <= 60 ? text.ToString() : $"{text[..60]}…";

    private ReadOnlySpan<char> Plain(bool isInBrackets, bool isKey, string what)
    {
        int length = 0;
        while (true)
        {
            int c = Peek();
            if (c is -1 or '\n'
                || (c == '#' && length > 0 && _token[length - 1] is ' ' or '\t')
                || (isInBrackets && c is ',' or ']' or '}' or '[' or '{')
                || (c == ':' && isKey && IsSpaceBehind(isInBrackets)))
            {
                return _token.AsSpan(0, length).TrimEnd();
            }

            Append(ref length, (char)c, what);
            Skip();
        }
    }

    private bool IsSpaceBehind(bool isInBrackets) =>
        !Ensure(2) || _buffer[_position + 1] is ' ' or '\t' or '\n' or '\r' || (isInBrackets && _buffer[_position + 1] is ',' or ']' or '}' or '[' or '{');

    private ReadOnlySpan<char> Quoted(string what)
    {
        char quote = (char)Peek();
        int length = 0;
        Skip();
        while (true)
        {
            int c = Peek();
            if (c is -1 or '\n')
            {
                throw Error($"The quotes around {what} are not closed on this line: {quote}{Short(_token.AsSpan(0, length))}. Close them, or put the text on one line.");
            }

            Skip();
            if (c == quote)
            {
                if (quote == '"' || Peek() != '\'')
                {
                    return _token.AsSpan(0, length);
                }

                Skip();
            }
            else if (c == '\\' && quote == '"')
            {
                c = Escape(ref length, what);
            }

            Append(ref length, (char)c, what);
        }
    }

    // The character that an escape stands for; of a pair the second, the first is appended.
    private int Escape(ref int length, string what)
    {
        int c = Peek();
        if (c < 0)
        {
            throw Error($"The file ends inside {what}.");
        }

        Skip();
        int digits = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits == 0)
        {
            return c switch
            {
                '0' => '\0',
                'a' => '\a',
                'b' => '\b',
                't' or '\t' => '\t',
                'n' => '\n',
                'v' => '\v',
                'f' => '\f',
                'r' => '\r',
                'e' => '\u001b',
                ' ' or '"' or '/' or '\\' => c,
                'N' => '\u0085',
                '_' => '\u00a0',
                'L' => '\u2028',
                'P' => '\u2029',
                _ => throw Error($"'\\{(char)c}' in {what} is no escape of YAML. Write '\\\\' for a backslash."),
            };
        }

        Span<char> hex = stackalloc char[8];
        for (int i = 0; i < digits; i++)
        {
            int digit = Peek();
            if (digit < 0 || !char.IsAsciiHexDigit((char)digit))
            {
                throw Error($"'\\{(char)c}' in {what} needs {digits} hexadecimal digits.");
            }

            hex[i] = (char)digit;
            Skip();
        }

        uint code = uint.Parse(hex[..digits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        if (code > 0x10ffff)
        {
            throw Error($"'\\U{code:x8}' in {what} is no character.");
        }

        if (code <= char.MaxValue)
        {
            return (int)code;
        }

        string pair = char.ConvertFromUtf32((int)code);
        Append(ref length, pair[0], what);
        return pair[1];
    }

    private void Append(ref int length, char c, string what)
    {
        if (length == _token.Length)
        {
            if (length >= LongestToken)
            {
                throw Error($"Of {what} there are more than {LongestToken} characters; this is no profile.");
            }

            Array.Resize(ref _token, length * 2);
        }

        _token[length++] = c;
    }

    private bool TakeMark(string mark)
    {
        bool isThere = (Ensure(4) || _length - _position == 3) && _buffer.AsSpan(_position, 3).SequenceEqual(mark)
            && (_length - _position == 3 || _buffer[_position + 3] is ' ' or '\t' or '\n' or '\r');
        if (isThere)
        {
            Skip();
            Skip();
            Skip();
        }

        return isThere;
    }

    // Whether there are that many characters.
    private bool Ensure(int count)
    {
        while (_length - _position < count)
        {
            if (!Fill())
            {
                return false;
            }
        }

        return true;
    }

    private bool Fill()
    {
        // What is not used yet moves to the front; it is a few characters.
        Array.Copy(_buffer, _position, _buffer, 0, _length - _position);
        (_position, _length) = (0, _length - _position);
        int read;
        try
        {
            read = reader.Read(_buffer.AsSpan(_length));
        }
        catch (DecoderFallbackException e)
        {
            throw new QuantizationFormatException(source, Line, "From here on at the latest this is no UTF-8 text. Check the path, or save the file as UTF-8.", e);
        }

        Span<char> added = _buffer.AsSpan(_length, read);
        if (added.IndexOfAny(s_control) is >= 0 and int at)
        {
            throw Error($"The file has the control character 0x{(int)added[at]:X2} and is no text. Check the path.", Line + _buffer.AsSpan(0, _length + at).Count('\n'));
        }

        _length += read;
        return read > 0;
    }
}
