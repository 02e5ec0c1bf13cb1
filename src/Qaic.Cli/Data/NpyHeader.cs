using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Qaic.Cli.Data;

/// <summary>What a <c>.npy</c> file says of its array: a Python dictionary with descr, fortran_order and shape.</summary>
/// <param name="Descr">Type as NumPy writes it: <c>&lt;f4</c>.</param>
/// <param name="IsColumnMajor">Whether the first dimension varies fastest.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
internal sealed record NpyHeader(string Descr, bool IsColumnMajor, ImmutableArray<int> Shape)
{
    // NumPy itself has no more.
    private const int MostDimensions = 64;

    /// <summary>Reads the dictionary.</summary>
    /// <exception cref="FormatException">It is none, or lacks a key; the message says what was expected where.</exception>
    public static NpyHeader Parse(string text)
    {
        var reader = new Reader(text);
        string? descr = null;
        bool? isColumnMajor = null;
        ImmutableArray<int>? shape = null;
        reader.Expect('{');
        while (!reader.Take('}'))
        {
            string key = reader.Text();
            reader.Expect(':');
            switch (key)
            {
                case "descr" when descr is null:
                    descr = reader.Text();
                    break;
                case "fortran_order" when isColumnMajor is null:
                    isColumnMajor = reader.Truth();
                    break;
                case "shape" when shape is null:
                    shape = reader.Shape();
                    break;
                default:
                    throw new FormatException($"the key '{key}' is unknown or there twice; a header has descr, fortran_order and shape");
            }

            if (!reader.Take(','))
            {
                reader.Expect('}');
                break;
            }
        }

        reader.ExpectEnd();
        string? missing = descr is null ? "descr" : isColumnMajor is null ? "fortran_order" : shape is null ? "shape" : null;
        return missing is null ? new NpyHeader(descr!, isColumnMajor!.Value, shape!.Value) : throw new FormatException($"the header has no {missing}");
    }

    /// <summary>The dictionary as NumPy writes it.</summary>
    public override string ToString()
    {
        string dims = Shape.Length == 1 ? $"{Shape[0]}," : string.Join(", ", Shape);
        return $"{{'descr': '{Descr}', 'fortran_order': {(IsColumnMajor ? "True" : "False")}, 'shape': ({dims}), }}";
    }

    // The few forms of Python that a header has.
    private sealed class Reader(string text)
    {
        private int _at;

        public bool Take(char c)
        {
            SkipBlanks();
            if (_at < text.Length && text[_at] == c)
            {
                _at++;
                return true;
            }

            return false;
        }

        public void Expect(char c)
        {
            if (!Take(c))
            {
                throw Expected($"'{c}'");
            }
        }

        public void ExpectEnd()
        {
            SkipBlanks();
            if (_at < text.Length)
            {
                throw Expected("the end of the header");
            }
        }

        public string Text()
        {
            SkipBlanks();
            char quote = _at < text.Length ? text[_at] : '\0';
            int end = quote is '\'' or '"' ? text.IndexOf(quote, _at + 1) : -1;
            if (end < 0)
            {
                throw Expected(quote == '[' ? "a simple type, not one of records" : "a text in quotes");
            }

            string value = text[(_at + 1)..end];
            _at = end + 1;
            return value;
        }

        public bool Truth()
        {
            SkipBlanks();
            foreach ((string word, bool value) in new[] { ("True", true), ("False", false) })
            {
                if (string.CompareOrdinal(text, _at, word, 0, word.Length) == 0)
                {
                    _at += word.Length;
                    return value;
                }
            }

            throw Expected("True or False");
        }

        public ImmutableArray<int> Shape()
        {
            var dims = ImmutableArray.CreateBuilder<int>();
            Expect('(');
            while (!Take(')'))
            {
                SkipBlanks();
                int start = _at;
                while (_at < text.Length && char.IsAsciiDigit(text[_at]))
                {
                    _at++;
                }

                if (!int.TryParse(text.AsSpan(start, _at - start), NumberStyles.None, CultureInfo.InvariantCulture, out int dim))
                {
                    _at = start;
                    throw Expected("a dimension from 0 to 2147483647");
                }

                // As Python 2 wrote long integers.
                Take('L');
                dims.Add(dims.Count < MostDimensions ? dim : throw Expected($"at most {MostDimensions} dimensions"));
                if (!Take(','))
                {
                    Expect(')');
                    break;
                }
            }

            return dims.ToImmutable();
        }

        private void SkipBlanks()
        {
            while (_at < text.Length && text[_at] is ' ' or '\t' or '\n' or '\r')
            {
                _at++;
            }
        }

        private FormatException Expected(string what)
        {
            string found = _at < text.Length ? $"'{Shown(text.AsSpan(_at, Math.Min(12, text.Length - _at)))}'" : "its end";
            return new FormatException($"expected {what} at character {_at} of the header, not {found}");
        }

        private static string Shown(ReadOnlySpan<char> part)
        {
            var shown = new StringBuilder();
            foreach (char c in part)
            {
                shown.Append(char.IsControl(c) ? '?' : c);
            }

            return shown.ToString();
        }
    }
}
