using System.Globalization;
using System.Numerics.Tensors;
using Qaic.ML;
using Spectre.Console;

namespace Digits;

/// <summary>What the sample prints.</summary>
internal static class Report
{
    /// <summary>Runs <paramref name="work"/>, with a progress bar where there is a terminal to draw it on.</summary>
    public static T WithProgress<T>(int rows, Func<Action, T> work)
    {
        if (Console.IsOutputRedirected)
        {
            AnsiConsole.Profile.Capabilities.Ansi = false;
            return work(() => { });
        }

        return AnsiConsole.Progress().Start(context =>
        {
            ProgressTask task = context.AddTask("Scoring", maxValue: rows);
            return work(() => task.Increment(1));
        });
    }

    public static void Print(QaicTransformer transformer, TimeSpan fit, Scores scores, Latencies single, bool passed)
    {
        Table table = new Table().Border(TableBorder.Rounded).HideHeaders().AddColumn("").AddColumn("");
        void Row(string name, FormattableString value) => table.AddRow(name, Markup.Escape(value.ToString(CultureInfo.InvariantCulture)));
        Row("model", $"digits_cnn");
        Row("platform", $"{transformer.Session.Platform.Name}");
        Row("input, output", $"{string.Join("; ", transformer.Session.Inputs)} → {string.Join("; ", transformer.Session.Outputs)}");
        Row("compile and fit", $"{fit.TotalMilliseconds:F0} ms");
        Row("rows", $"{scores.Rows / scores.Passes} test rows, {scores.Passes} passes");
        Row("accuracy", $"{scores.Accuracy:P2} (at least 99.00 %)");
        Row("largest difference", $"{scores.LargestDifference:E1} from the reference logits (at most 1.0E-004)");
        Row("throughput", $"{scores.RowsPerSecond:N0} rows/s, batches of {transformer.Session.BatchSize}");
        Row("one row at a time", $"P50 {single.P50:F0} µs, P90 {single.P90:F0} µs, P99 {single.P99:F0} µs");
        Row("result", $"{(passed ? "passed" : "FAILED")}");
        AnsiConsole.Write(table);
    }

    /// <summary>Draws a digit and what the model makes of it.</summary>
    public static void Draw(Digit digit, Prediction prediction)
    {
        const string Shades = " ░▒▓█";
        int best = TensorPrimitives.IndexOfMax(prediction.Logits);
        float[] probabilities = new float[prediction.Logits.Length];
        TensorPrimitives.SoftMax(prediction.Logits, probabilities);
        for (int y = 0; y < 8; y++)
        {
            string line = string.Concat(digit.Pixels.Skip(8 * y).Take(8).Select(p => new string(Shades[(int)Math.Round(p / 4)], 2)));
            AnsiConsole.WriteLine($"  {line}{(y == 3 ? FormattableString.Invariant($"   label {digit.Label}, predicted {best} with {probabilities[best]:P1}") : "")}");
        }
    }
}
