using System.Globalization;

namespace Qaic.Cli;

/// <summary>Numbers of bytes for people.</summary>
internal static class ByteSize
{
    private static readonly string[] s_units = ["bytes", "KiB", "MiB", "GiB", "TiB"];

    /// <summary><c>812 bytes</c>, <c>1.4 MiB</c>.</summary>
    public static string Text(long bytes)
    {
        int unit = 0;
        double value = bytes;
        for (; value >= 1024 && unit < s_units.Length - 1; unit++)
        {
            value /= 1024;
        }

        return unit == 0 ? string.Create(CultureInfo.InvariantCulture, $"{bytes} {s_units[0]}") : string.Create(CultureInfo.InvariantCulture, $"{value:0.0} {s_units[unit]}");
    }
}
