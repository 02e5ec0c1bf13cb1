using System.Net;
using System.Text;
using static System.FormattableString;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Draws the values of a tensor and the range that its integers can say.</summary>
/// <remarks>Counts are on a logarithmic scale: a single far value is seen beside a million near ones. Colours come from the page's style sheet.</remarks>
internal static class HistogramSvg
{
    private const double Width = 720;
    private const double Height = 168;
    private const double Left = 44;
    private const double Right = 12;
    private const double Top = 22;
    private const double Bottom = 24;
    private const int MostBars = 180;

    // Labels at the edges of the range are this wide at most.
    private const double LabelWidth = 74;

    /// <param name="tensor">The tensor; it has a histogram.</param>
    /// <param name="id">Unique in the page.</param>
    public static string Of(TensorAccuracy tensor, string id)
    {
        (double[] counts, double first, double barWidth) = Bars(tensor);
        double last = first + (counts.Length * barWidth);

        // A range far wider than the values leaves some of its emptiness out of the picture.
        double span = Math.Max(last - first, double.Epsilon);
        double low = Math.Min(first, Math.Max(tensor.RangeMinimum, first - (0.6 * span))), high = Math.Max(last, Math.Min(tensor.RangeMaximum, last + (0.6 * span)));
        (low, high) = low < high ? (low, high) : (low - 1, high + 1);
        double margin = (high - low) * 0.02;
        (low, high) = (low - margin, high + margin);
        double X(double value) => Left + ((Width - Left - Right) * (Math.Clamp(value, low, high) - low) / (high - low));
        double decades = Math.Max(1, Math.Ceiling(Math.Log10(1 + counts.Max())));
        double Y(double count) => Height - Bottom - ((Height - Top - Bottom) * Math.Log10(1 + count) / decades);

        var svg = new StringBuilder();
        svg.Append(Invariant($"<svg role=\"img\" aria-labelledby=\"{id}-t {id}-d\" viewBox=\"0 0 {Width:0} {Height:0}\"><title id=\"{id}-t\">Values of {WebUtility.HtmlEncode(tensor.Name)}</title>"));
        svg.Append(Invariant($"<desc id=\"{id}-d\">Histogram from {Diagnosis.Number(tensor.Minimum)} to {Diagnosis.Number(tensor.Maximum)}; the range reaches from {Diagnosis.Number(tensor.RangeMinimum)} to {Diagnosis.Number(tensor.RangeMaximum)}, {100 * tensor.ClippedFraction:0.###} % of the values are outside.</desc>"));
        svg.Append(Invariant($"<rect class=\"band\" x=\"{X(tensor.RangeMinimum):0.#}\" y=\"{Top:0}\" width=\"{Math.Max(0.5, X(tensor.RangeMaximum) - X(tensor.RangeMinimum)):0.#}\" height=\"{Height - Top - Bottom:0}\"/>"));
        int every = decades > 5 ? 2 : 1;
        for (int decade = 0; decade <= decades; decade += every)
        {
            double y = Height - Bottom - ((Height - Top - Bottom) * decade / decades);
            svg.Append(Invariant($"<line class=\"grid\" x1=\"{Left:0}\" x2=\"{Width - Right:0}\" y1=\"{y:0.#}\" y2=\"{y:0.#}\"/><text class=\"tick\" x=\"{Left - 6:0}\" y=\"{y + 3.5:0.#}\" text-anchor=\"end\">{Tick(decade)}</text>"));
        }

        AppendBars(svg, counts, first, barWidth, tensor, X, Y);
        AppendAxis(svg, low + margin, high - margin, X);
        AppendEnds(svg, tensor, low, high, X);
        return svg.Append("</svg>").ToString();
    }

    private static string Tick(int decade) => decade switch { 0 => "0", 1 => "10", 2 => "100", 3 => "1 k", 4 => "10 k", 5 => "100 k", 6 => "1 M", 7 => "10 M", 8 => "100 M", _ => $"1e{decade}" };

    // Neighbouring bins are joined until there are few enough to be seen.
    private static (double[] Counts, double First, double Width) Bars(TensorAccuracy tensor)
    {
        ReadOnlySpan<double> counts = tensor.Histogram!.Counts;
        double width = ((double)tensor.Histogram.Maximum - tensor.Histogram.Minimum) / Math.Max(1, counts.Length);
        if (width <= 0)
        {
            double half = tensor.LargestScale / 2;
            return ([tensor.Histogram.Total], tensor.Histogram.Minimum - half, 2 * half);
        }

        int join = (counts.Length + MostBars - 1) / MostBars;
        double[] joined = new double[(counts.Length + join - 1) / join];
        for (int i = 0; i < counts.Length; i++)
        {
            joined[i / join] += counts[i];
        }

        return (joined, tensor.Histogram.Minimum, width * join);
    }

    // Two paths, one for what the range covers and one for what it cuts off: a bar counts as cut if most of it is outside.
    private static void AppendBars(StringBuilder svg, double[] counts, double first, double width, TensorAccuracy tensor, Func<double, double> x, Func<double, double> y)
    {
        (var inside, var outside) = (new StringBuilder(), new StringBuilder());
        for (int i = 0; i < counts.Length; i++)
        {
            if (counts[i] == 0)
            {
                continue;
            }

            double from = first + (i * width), centre = from + (width / 2);
            bool isCut = tensor.ClippedFraction > 0 && (centre < tensor.RangeMinimum || centre > tensor.RangeMaximum);
            double left = x(from), right = Math.Max(left + 0.8, x(from + width) - 0.35);

            // What is there is seen, however rare.
            double top = Math.Min(y(counts[i]), y(0) - 1);
            (isCut ? outside : inside).Append(Invariant($"M{left:0.##} {y(0):0.#}V{top:0.#}H{right:0.##}V{y(0):0.#}z"));
        }

        svg.Append(inside.Length > 0 ? $"<path class=\"bar\" d=\"{inside}\"/>" : "").Append(outside.Length > 0 ? $"<path class=\"cut\" d=\"{outside}\"/>" : "");
    }

    private static void AppendAxis(StringBuilder svg, double low, double high, Func<double, double> x)
    {
        double baseline = Height - Bottom;
        svg.Append(Invariant($"<line class=\"axis\" x1=\"{Left:0}\" x2=\"{Width - Right:0}\" y1=\"{baseline:0}\" y2=\"{baseline:0}\"/>"));
        double step = NiceStep((high - low) / 7);
        for (double tick = Math.Ceiling(low / step) * step; tick <= high; tick += step)
        {
            double value = Math.Abs(tick) < step / 2 ? 0 : tick;
            string zero = value == 0 ? " zero" : "";
            svg.Append(Invariant($"<line class=\"axis{zero}\" x1=\"{x(value):0.#}\" x2=\"{x(value):0.#}\" y1=\"{baseline:0}\" y2=\"{baseline + 4:0}\"/><text class=\"tick{zero}\" x=\"{x(value):0.#}\" y=\"{baseline + 16:0}\" text-anchor=\"middle\">{Diagnosis.Number(value)}</text>"));
        }
    }

    private static void AppendEnds(StringBuilder svg, TensorAccuracy tensor, double low, double high, Func<double, double> x)
    {
        double left = x(tensor.RangeMinimum), right = x(tensor.RangeMaximum);

        // Two labels at a narrow range beside an edge would lie on each other.
        bool isOne = right - left < 2 * LabelWidth && (left - Left < LabelWidth || Width - Right - right < LabelWidth);
        if (isOne)
        {
            bool isAtLeft = left - Left < LabelWidth;
            svg.Append(Invariant($"<text class=\"end-label\" x=\"{(isAtLeft ? right + 5 : left - 5):0.#}\" y=\"{Top - 8:0}\" text-anchor=\"{(isAtLeft ? "start" : "end")}\">{Diagnosis.Number(tensor.RangeMinimum)} to {Diagnosis.Number(tensor.RangeMaximum)}</text>"));
        }

        foreach ((double at, float value, bool isLeft) in new[] { (left, tensor.RangeMinimum, true), (right, tensor.RangeMaximum, false) })
        {
            // An end beyond the picture is told by an arrow.
            bool isBeyond = value < low || value > high;
            if (!isBeyond)
            {
                svg.Append(Invariant($"<line class=\"end\" x1=\"{at:0.#}\" x2=\"{at:0.#}\" y1=\"{Top - 6:0}\" y2=\"{Height - Bottom:0}\"/>"));
            }

            if (isOne)
            {
                continue;
            }

            // Inside the band if there is room, else outside.
            bool isInside = right - left >= 2 * LabelWidth;
            bool startsHere = isLeft == isInside;
            string label = isBeyond ? (isLeft ? $"← {Diagnosis.Number(value)}" : $"{Diagnosis.Number(value)} →") : Diagnosis.Number(value);
            svg.Append(Invariant($"<text class=\"end-label\" x=\"{at + (startsHere ? 5 : -5):0.#}\" y=\"{Top - 8:0}\" text-anchor=\"{(startsHere ? "start" : "end")}\">{label}</text>"));
        }
    }

    private static double NiceStep(double rough)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        return (rough / power) switch { <= 1 => power, <= 2 => 2 * power, <= 5 => 5 * power, _ => 10 * power };
    }
}
