using System.Text;

namespace Qaic.ML.Tests.Faults;

/// <summary>The campaign's table: a row per function and number of devices, a column per fault.</summary>
internal sealed class FaultTable
{
    private readonly SortedDictionary<(int Devices, int Row), (string Name, Dictionary<string, string> Cells)> _rows = [];
    private readonly List<string> _columns = [];

    /// <summary>Cells by what came of them.</summary>
    public Dictionary<string, int> Counts { get; } = [];

    /// <summary>Enters a cell.</summary>
    /// <param name="row">Position of the row among those of the same number of devices.</param>
    /// <param name="cell">The cell.</param>
    /// <param name="outcome">tolerated, reported, kept, not hit or FAILED.</param>
    public void Add(int row, FaultCell cell, string outcome)
    {
        if (!_columns.Contains(cell.Column))
        {
            _columns.Add(cell.Column);
        }

        if (!_rows.TryGetValue((cell.Devices, row), out (string Name, Dictionary<string, string> Cells) entry))
        {
            entry = (cell.Function ?? "(an inference on the card)", []);
            _rows.Add((cell.Devices, row), entry);
        }

        entry.Cells[cell.Column] = outcome;
        Counts[outcome] = Counts.GetValueOrDefault(outcome) + 1;
    }

    /// <summary>The table as markdown.</summary>
    public string ToMarkdown(IReadOnlyDictionary<string, string> notCalled)
    {
        // In the order in which they are declared, whatever cell came first.
        string[] columns = [.. _columns.OrderBy(c => !char.IsAsciiDigit(c[0])).ThenBy(c => c.EndsWith('…')).ThenBy(c => c.Length).ThenBy(c => c, StringComparer.Ordinal)];
        var text = new StringBuilder();
        text.AppendLine("t: tolerated, nobody hears of it. r: reported, callers get an error for what was not done. k: reported in the log; the library keeps what it refused to release. n: the fault met no call. !: FAILED.");
        text.AppendLine("A number is a QStatus that one call returns, with … one that every call returns for a time. After each cell the same sessions work again, on every device.");
        foreach (IGrouping<int, KeyValuePair<(int Devices, int Row), (string Name, Dictionary<string, string> Cells)>> group in _rows.GroupBy(r => r.Key.Devices))
        {
            text.AppendLine().Append("| ").Append(group.Key).Append(group.Key == 1 ? " device" : " devices").Append(" | ").AppendJoin(" | ", columns).AppendLine(" |");
            text.Append("|---|").AppendJoin("|", columns.Select(_ => "---")).AppendLine("|");
            foreach ((string name, Dictionary<string, string> cells) in group.Select(r => r.Value))
            {
                text.Append("| ").Append(name).Append(" | ").AppendJoin(" | ", columns.Select(c => Mark(cells.GetValueOrDefault(c, "")))).AppendLine(" |");
            }
        }

        text.AppendLine().AppendLine("Not called, so nothing to break:").AppendLine();
        foreach ((string function, string reason) in notCalled)
        {
            text.Append("- ").Append(function).Append(": ").Append(reason).AppendLine(".");
        }

        return text.ToString();
    }

    private static string Mark(string outcome) => outcome switch
    {
        "" => " ",
        "FAILED" => "!",
        _ => outcome[..1],
    };
}
