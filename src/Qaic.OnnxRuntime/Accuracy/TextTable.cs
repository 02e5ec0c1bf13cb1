using System.Text;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>A table in plain text, as wide as its content. The first column and those that say so are left-aligned, numbers to the right.</summary>
internal sealed class TextTable
{
    private readonly string[] _headers;
    private readonly bool[] _isLeft;
    private readonly List<string[]> _rows = [];

    /// <param name="headers">One per column; a leading <c>&lt;</c> aligns it to the left.</param>
    public TextTable(params string[] headers)
    {
        _headers = [.. headers.Select(h => h.TrimStart('<'))];
        _isLeft = [.. headers.Select((h, i) => i == 0 || h.StartsWith('<'))];
    }

    public void Add(params string[] cells) => _rows.Add(cells);

    public StringBuilder AppendTo(StringBuilder text)
    {
        int[] widths = [.. _headers.Select((h, i) => _rows.Select(r => r[i].Length).Append(h.Length).Max())];
        Line(text, _headers, widths);
        Line(text, [.. widths.Select(w => new string('-', w))], widths);
        foreach (string[] row in _rows)
        {
            Line(text, row, widths);
        }

        return text;
    }

    /// <summary>Cuts the middle out of long names: both ends tell them apart.</summary>
    public static string Shorten(string name, int width) => name.Length <= width ? name : $"{name[..((width - 1) / 2)]}…{name[^(width - 1 - ((width - 1) / 2))..]}";

    /// <summary>Breaks text between words.</summary>
    public static StringBuilder Wrap(StringBuilder text, string prefix, string content, int width)
    {
        string line = prefix;
        foreach (string word in content.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > prefix.Length && line.Length + 1 + word.Length > width)
            {
                text.Append(line.TrimEnd()).Append('\n');
                line = new string(' ', prefix.Length);
            }

            line += line.Length == prefix.Length ? word : " " + word;
        }

        return text.Append(line.TrimEnd()).Append('\n');
    }

    private void Line(StringBuilder text, string[] cells, int[] widths)
    {
        string line = string.Join("  ", cells.Select((c, i) => _isLeft[i] ? c.PadRight(widths[i]) : c.PadLeft(widths[i])));
        text.Append(line.TrimEnd()).Append('\n');
    }
}
