namespace Qaic.Options;

/// <summary>What a mistyped name was probably meant to be.</summary>
public static class Spelling
{
    // Longer names were not typed.
    private const int MaxLength = 200;

    /// <summary>The known name that is most like a typed one, upper and lower case being the same.</summary>
    /// <param name="typed">The name that was typed.</param>
    /// <param name="known">The names there are.</param>
    /// <returns>Null if none is near: more than two edits away, for long names a quarter of their length.</returns>
    public static string? Nearest(string typed, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(typed);
        ArgumentNullException.ThrowIfNull(known);
        if (typed.Length is 0 or > MaxLength)
        {
            return null;
        }

        string lower = typed.ToLowerInvariant();
        (string? nearest, int least) = (null, Math.Max(2, typed.Length / 4) + 1);
        foreach (string name in known.Where(n => n.Length <= MaxLength))
        {
            int distance = Distance(lower, name.ToLowerInvariant());
            if (distance < least)
            {
                (nearest, least) = (name, distance);
            }
        }

        return nearest;
    }

    // Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
    private static int Distance(string a, string b)
    {
        int[,] rows = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    rows[i, j] = i + j;
                    continue;
                }

                int best = Math.Min(Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1, rows[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                rows[i, j] = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] ? Math.Min(best, rows[i - 2, j - 2] + 1) : best;
            }
        }

        return rows[a.Length, b.Length];
    }
}
