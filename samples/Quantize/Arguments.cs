using System.Globalization;

namespace Quantize;

/// <summary>What the command line says.</summary>
/// <param name="KeepWorst">Layers to keep in FP16; 0 for none.</param>
/// <param name="Output">Directory that receives reports and profiles.</param>
internal sealed record Arguments(int KeepWorst, string Output)
{
    private const string Usage = "usage: dotnet run --project samples/Quantize [-- [--keep-worst <layers>] [--output <directory>]]";

    /// <returns>Null after a message on standard error, if the arguments cannot be understood.</returns>
    public static Arguments? Parse(string[] args)
    {
        var result = new Arguments(0, Path.Combine(AppContext.BaseDirectory, "out"));
        for (int i = 0; i < args.Length; i += 2)
        {
            string? value = i + 1 < args.Length ? args[i + 1] : null;
            switch (args[i])
            {
                case "--keep-worst" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int layers):
                    result = result with { KeepWorst = layers };
                    break;
                case "--output" when value is { Length: > 0 }:
                    result = result with { Output = Path.GetFullPath(value) };
                    break;
                default:
                    Console.Error.WriteLine($"'{string.Join(' ', args[i..])}' is not understood.\n{Usage}");
                    return null;
            }
        }

        return result;
    }
}
