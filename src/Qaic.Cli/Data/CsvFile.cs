using System.Text;

namespace Qaic.Cli.Data;

/// <summary>A table from a text file: one line of names, then one line per row, fields separated by commas, quoted where they hold commas or quotes.</summary>
/// <param name="Path">The file.</param>
/// <param name="Names">The names of the columns.</param>
/// <param name="Rows">The rows, with the number of their line in the file; each has as many fields as there are names.</param>
internal sealed record CsvFile(string Path, IReadOnlyList<string> Names, IReadOnlyList<(int Line, string[] Fields)> Rows)
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads a file in UTF-8.</summary>
    /// <exception cref="DataFormatException">It is no text, or a row has not as many fields as the first line; the message has the line.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static CsvFile Load(string path) => Parse(TensorFile.ReadAll(path), path);

    /// <summary>Reads the bytes of a file.</summary>
    /// <param name="file">All of it.</param>
    /// <param name="path">What errors call it.</param>
    /// <exception cref="DataFormatException">As for <see cref="Load"/>.</exception>
    public static CsvFile Parse(byte[] file, string path)
    {
        string text;
        try
        {
            text = s_strict.GetString(file is [0xEF, 0xBB, 0xBF, ..] ? file.AsSpan(3) : file);
        }
        catch (DecoderFallbackException e)
        {
            throw new DataFormatException(path, $"this is no text in UTF-8: byte {e.Index} is not. Save the table as CSV in UTF-8.", e);
        }

        string[]? names = null;
        var rows = new List<(int, string[])>();
        foreach ((int line, string[] fields) in Records(text, path))
        {
            if (names is null)
            {
                names = fields;
            }
            else if (fields.Length != names.Length)
            {
                throw new DataFormatException(path, $"line {line} has {fields.Length} fields, and the first line names {names.Length} columns. Every row has one field for each.");
            }
            else
            {
                rows.Add((line, fields));
            }
        }

        return names is null ? throw new DataFormatException(path, "the file is empty. The first line names the columns, each further one is a row.") : new CsvFile(path, names, rows);
    }

    /// <summary>A field as it is written: in quotes if it holds a comma, a quote or a line end.</summary>
    public static string Quoted(string field) => field.AsSpan().IndexOfAny(",\"\n\r") < 0 ? field : $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static IEnumerable<(int Line, string[] Fields)> Records(string text, string path)
    {
        int line = 1;
        for (int at = 0; at < text.Length;)
        {
            int first = line;
            var fields = new List<string>();
            do
            {
                fields.Add(Field(text, ref at, ref line, path));
            }
            while (at < text.Length && text[at++] == ',');

            // text[at - 1] was the line's end: \n, or \r that may have a \n behind it.
            if (at <= text.Length && at > 0 && text[at - 1] == '\r' && at < text.Length && text[at] == '\n')
            {
                at++;
            }

            line++;
            if (fields is not [""])
            {
                yield return (first, fields.ToArray());
            }
        }
    }

    // Leaves the position at the comma or line end behind the field.
    private static string Field(string text, ref int at, ref int line, string path)
    {
        if (at >= text.Length || text[at] != '"')
        {
            int end = text.AsSpan(at).IndexOfAny(",\n\r");
            string plain = end < 0 ? text[at..] : text.Substring(at, end);
            at += plain.Length;
            return plain.Trim(' ', '\t');
        }

        int opened = line;
        var field = new StringBuilder();
        for (at++; at < text.Length; at++)
        {
            if (text[at] != '"')
            {
                line += text[at] == '\n' ? 1 : 0;
                field.Append(text[at]);
            }
            else if (at + 1 < text.Length && text[at + 1] == '"')
            {
                field.Append('"');
                at++;
            }
            else
            {
                at++;
                return at == text.Length || text[at] is ',' or '\n' or '\r'
                    ? field.ToString()
                    : throw new DataFormatException(path, $"line {line}: '{text[at]}' follows a field in quotes. Separate fields by commas.");
            }
        }

        throw new DataFormatException(path, $"the quote that line {opened} opens is never closed.");
    }
}
