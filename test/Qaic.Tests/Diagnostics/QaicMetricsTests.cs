using System.Globalization;

namespace Qaic.Tests.Diagnostics;

[TestClass]
public sealed class QaicMetricsTests
{
    // The vendor's sample, with its P90 and P99 put in order and the P999 that it leaves out.
    private static readonly QaicMetrics s_sample = new()
    {
        NumOfInferences = 999,
        MinLatency = 0.000957834,
        MaxLatency = 0.002209001,
        P25 = 0.001095435,
        P50 = 0.001252287,
        P75 = 0.001299786,
        P90 = 0.001608237,
        P99 = 0.001908237,
        P999 = 0.002209001,
        TotalInferenceTime = 1.2368375560000007,
        AvgLatency = 0.0012380756316316324,
    };

    [TestMethod]
    public void The_dictionary_has_pythons_keys_in_pythons_order()
    {
        IReadOnlyDictionary<string, double> metrics = s_sample.ToDictionary();
        CollectionAssert.AreEqual(
            (string[])["num_of_inferences", "min_latency", "max_latency", "P25", "P50", "P75", "P90", "P99", "P999", "total_inference_time", "avg_latency"],
            metrics.Keys.ToArray());
        CollectionAssert.AreEqual(
            (double[])[999, 0.000957834, 0.002209001, 0.001095435, 0.001252287, 0.001299786, 0.001608237, 0.001908237, 0.002209001, 1.2368375560000007, 0.0012380756316316324],
            metrics.Values.ToArray());
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("de-DE")]
    [DataRow("ar-SA")]
    public void The_printed_form_is_the_vendors_with_every_key_once_in_every_culture(string culture)
    {
        const string Expected = """
            Number of inferences utilized for calculation are 999
            Minimum latency observed 0.000957834 s
            Maximum latency observed 0.002209001 s
            Average latency / inference time observed is 0.00123807563163163 s
            P25 / 25% of inferences observed latency less than 0.001095435 s
            P50 / 50% of inferences observed latency less than 0.001252287 s
            P75 / 75% of inferences observed latency less than 0.001299786 s
            P90 / 90% of inferences observed latency less than 0.001608237 s
            P99 / 99% of inferences observed latency less than 0.001908237 s
            P999 / 99.9% of inferences observed latency less than 0.002209001 s
            Sum of all the inference times 1.236837556 s

            """;
        Assert.AreEqual(Expected, In(culture, () => Printed(s_sample)));
    }

    [TestMethod]
    public void Very_short_latencies_are_printed_without_an_exponent() =>
        StringAssert.Contains(Printed(s_sample with { MinLatency = 4.2e-8 }), "Minimum latency observed 0.000000042 s");

    [TestMethod]
    public void Metrics_of_no_inferences_are_printed_as_not_a_number()
    {
        string printed = Printed(QaicMetrics.None);
        StringAssert.StartsWith(printed, "Number of inferences utilized for calculation are 0");
        StringAssert.Contains(printed, "P999 / 99.9% of inferences observed latency less than NaN s");
        StringAssert.Contains(printed, "Sum of all the inference times 0.000000000 s");
    }

    private static string Printed(QaicMetrics metrics)
    {
        using var writer = new StringWriter { NewLine = "\n" };
        metrics.Print(writer);
        return writer.ToString();
    }

    private static T In<T>(string culture, Func<T> body)
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo(culture);
        try
        {
            return body();
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}
