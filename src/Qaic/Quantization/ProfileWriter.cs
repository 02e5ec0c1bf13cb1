using System.Globalization;

namespace Qaic.Quantization;

/// <summary>Writes profiles byte for byte as Glow's YAML output does.</summary>
internal static class ProfileWriter
{
    // A list goes on on a new line once the current one is longer; the next element begins under the first.
    private const int WrapColumn = 70;
    private const string Continuation = "                     ";
    private const int ValueColumn = 21;

    private const int Digits = 6;

    public static void Write(QuantizationProfile profile, Stream stream)
    {
        using var text = new StreamWriter(stream, QuantizationFiles.Utf8, bufferSize: 1 << 14, leaveOpen: true) { NewLine = "\n" };
        text.Write($"---\nGlowToolsVersion: {(profile.ToolsVersion.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_') ? profile.ToolsVersion : YamlText.Quoted(profile.ToolsVersion))}\n...\n");
        text.Write(string.Create(CultureInfo.InvariantCulture, $"---\nGraphPreLowerHash: 0x{profile.GraphHash:X}\n...\n---\n"));
        bool isEmpty = true;
        foreach (TensorStatistics tensor in profile.Entries)
        {
            isEmpty = false;
            text.Write($"- NodeOutputName:  {YamlText.Quoted(tensor.Name)}\n  Min:             {Fixed(tensor.Minimum)}\n  Max:             {Fixed(tensor.Maximum)}\n  Histogram:       [ ");
            Histogram(text, tensor.Counts);
            text.Write(" ]\n");
        }

        text.Write(isEmpty ? "[]\n...\n" : "...\n");
    }

    /// <summary>As C's <c>%.126f</c> without the zeros at its end, but for one behind the point: enough for every float32 to be read back as it was.</summary>
    public static string Fixed(float value)
    {
        string text = ((double)value).ToString("F126", CultureInfo.InvariantCulture).TrimEnd('0');
        return text.EndsWith('.') ? text + "0" : text;
    }

    /// <summary>As C's <c>%g</c>: six significant digits, halves to the even one.</summary>
    public static string General(double value)
    {
        if (value < 1_000_000 && value == Math.Floor(value))
        {
            return ((int)value).ToString(CultureInfo.InvariantCulture);
        }

        // .NET rounds halves away from zero, so it is given digits enough to be exact where there is a half, and the rounding is done here.
        string exact = value.ToString("E30", CultureInfo.InvariantCulture);
        int exponent = int.Parse(exact.AsSpan(exact.IndexOf('E', StringComparison.Ordinal) + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string digits = string.Concat(exact.AsSpan(0, 1), exact.AsSpan(2, 30));
        int kept = int.Parse(digits.AsSpan(0, Digits), CultureInfo.InvariantCulture);
        int order = digits.AsSpan(Digits).CompareTo("5".PadRight(digits.Length - Digits, '0'), StringComparison.Ordinal);
        kept += order > 0 || (order == 0 && kept % 2 == 1) ? 1 : 0;
        if (kept == 1_000_000)
        {
            (kept, exponent) = (100_000, exponent + 1);
        }

        string six = kept.ToString(CultureInfo.InvariantCulture);
        if (exponent is < -4 or >= Digits)
        {
            string fraction = six[1..].TrimEnd('0');
            return string.Create(CultureInfo.InvariantCulture, $"{six[0]}{(fraction.Length > 0 ? "." : "")}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
        }

        string plain = exponent >= 0 ? $"{six[..(exponent + 1)]}.{six[(exponent + 1)..]}" : $"0.{new string('0', -exponent - 1)}{six}";
        return plain.TrimEnd('0').TrimEnd('.');
    }

    private static void Histogram(StreamWriter text, ReadOnlySpan<double> counts)
    {
        int column = ValueColumn;
        for (int i = 0; i < counts.Length; i++)
        {
            if (i > 0)
            {
                text.Write(", ");
                column += 2;
            }

            if (column > WrapColumn)
            {
                text.Write("\n" + Continuation);
                column = ValueColumn;
            }

            string count = General(counts[i]);
            text.Write(count);
            column += count.Length;
        }
    }
}
