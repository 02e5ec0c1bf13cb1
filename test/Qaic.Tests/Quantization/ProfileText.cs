using System.Text;
using Qaic.Quantization;

namespace Qaic.Tests.Quantization;

/// <summary>Profiles as text, for tests.</summary>
internal static class ProfileText
{
    public const string Head = "---\nGlowToolsVersion: 2021-06-30\n...\n---\nGraphPreLowerHash: 0x693AC39E8BB9E42C\n...\n---\n";

    /// <summary>As Glow's output has it: two tensors, and an entry of the vendor's tools that is no statistic.</summary>
    public const string Good = Head + """
        - NodeOutputName:  'A883:0'
          Min:             -2.34341907501220703125
          Max:             3.5
          Histogram:       [ 500, 0, 1.67772e+07, 2.9e+09 ]
        - NodeOutputName:  'CI_QP_Add_228__1:0'
          Min:             -340282346638528859811704183484516925440.0
          Max:             340282346638528859811704183484516925440.0
          Histogram:       [ 1500, 0 ]
        - NodeOutputName:  'Relu:0'
          Min:             0.0
          Max:             0.100000001490116119384765625
          Histogram:       [ 1, 2, 3 ]
        ...

        """;

    public static QuantizationProfile Read(string text) => Read(Encoding.UTF8.GetBytes(text));

    public static QuantizationProfile Read(byte[] bytes)
    {
        using var stream = new MemoryStream(bytes);
        return QuantizationProfile.Read(stream, "p.yaml");
    }

    public static string Write(QuantizationProfile profile)
    {
        using var stream = new MemoryStream();
        profile.Write(stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    /// <summary>All that a profile says, exactly.</summary>
    public static string Described(QuantizationProfile profile) =>
        FormattableString.Invariant($"{profile.ToolsVersion} {profile.GraphHash:X} ") + string.Join("; ", profile.Tensors.Concat(profile.Placeholders).Select(
            t => FormattableString.Invariant($"{t.Name} {BitConverter.SingleToInt32Bits(t.Minimum):x} {BitConverter.SingleToInt32Bits(t.Maximum):x} ")
                + string.Join(",", t.Counts.ToArray().Select(c => c.ToString("R", System.Globalization.CultureInfo.InvariantCulture)))));
}
