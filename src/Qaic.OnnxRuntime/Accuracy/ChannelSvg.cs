using System.Net;
using System.Text;
using static System.FormattableString;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Draws how much of a shared scale each channel of a weight uses: one bar per channel, the largest first, on a logarithmic scale of steps.</summary>
internal static class ChannelSvg
{
    private const double Width = 720;
    private const double Height = 104;
    private const double Left = 44;
    private const double Right = 12;
    private const double Top = 20;
    private const double Bottom = 8;

    // Half a step is lost altogether; a sign and seven bits are 127.
    private const double FewestSteps = 0.5;
    private const double MostSteps = 128;

    /// <summary>Empty where there is nothing to compare: channels have scales of their own, or there is one.</summary>
    public static string Of(TensorAccuracy tensor, string id)
    {
        if (tensor.Channels > 1 || tensor.ChannelMaxima.Length < 2)
        {
            return "";
        }

        double[] steps = [.. tensor.ChannelMaxima.Select(m => (double)m / tensor.LargestScale).OrderDescending()];
        int starved = steps.Count(s => s > 0 && s < Diagnosis.FewSteps);
        double Y(double value) => Height - Bottom - ((Height - Top - Bottom) * Math.Log2(Math.Clamp(value, FewestSteps, MostSteps) / FewestSteps) / Math.Log2(MostSteps / FewestSteps));
        double width = (Width - Left - Right) / steps.Length;
        var svg = new StringBuilder();
        svg.Append(Invariant($"<svg role=\"img\" aria-labelledby=\"{id}-t {id}-d\" viewBox=\"0 0 {Width:0} {Height:0}\"><title id=\"{id}-t\">Channels of {WebUtility.HtmlEncode(tensor.Name)}</title>"));
        svg.Append(Invariant($"<desc id=\"{id}-d\">Steps that the largest value of each of {steps.Length} channels takes, from {Diagnosis.Number(steps[0])} down to {Diagnosis.Number(steps[^1])}; {starved} have fewer than {Diagnosis.FewSteps:0}.</desc>"));
        svg.Append(Invariant($"<text class=\"tick\" x=\"{Left:0}\" y=\"{Top - 7:0}\">largest value of each of {steps.Length} channels, in steps of the shared scale</text>"));
        foreach (double mark in new[] { 1.0, 4, 16, 64 })
        {
            svg.Append(Invariant($"<line class=\"grid\" x1=\"{Left:0}\" x2=\"{Width - Right:0}\" y1=\"{Y(mark):0.#}\" y2=\"{Y(mark):0.#}\"/><text class=\"tick\" x=\"{Left - 6:0}\" y=\"{Y(mark) + 3.5:0.#}\" text-anchor=\"end\">{mark:0}</text>"));
        }

        foreach ((string kind, bool isStarved) in new[] { ("bar", false), ("starved", true) })
        {
            var path = new StringBuilder();
            for (int i = 0; i < steps.Length; i++)
            {
                if (steps[i] > 0 && steps[i] < Diagnosis.FewSteps == isStarved)
                {
                    double left = Left + (i * width);
                    path.Append(Invariant($"M{left:0.##} {Height - Bottom:0}V{Math.Min(Y(steps[i]), Height - Bottom - 1):0.#}H{left + Math.Max(0.8, width * 0.82):0.##}V{Height - Bottom:0}z"));
                }
            }

            svg.Append(path.Length > 0 ? $"<path class=\"{kind}\" d=\"{path}\"/>" : "");
        }

        return svg.Append("</svg>\n").ToString();
    }
}
