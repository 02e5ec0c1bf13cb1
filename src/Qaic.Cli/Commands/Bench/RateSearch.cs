using System.Globalization;

namespace Qaic.Cli.Commands.Bench;

/// <summary>Finds the highest rate of requests at which a target is met, by halving.</summary>
/// <param name="measure">Measures at a rate, in requests per second.</param>
/// <param name="target">The latency that 99 % of the requests are to have at most, in seconds.</param>
/// <param name="progress">Is told of each try.</param>
internal sealed class RateSearch(Func<double, Measurement> measure, double target, Action<string> progress)
{
    // Rates of shared machines are no more precise than a few percent.
    private const double Precision = 0.03;

    /// <summary>Whether a load was served as it should be.</summary>
    public static bool Meets(Measurement measurement, double target) =>
        measurement is { Failure: null, Unserved: 0, Completed: > 0 } && measurement.Latency.Percentile(990) / 1e9 <= target;

    /// <summary>Searches.</summary>
    /// <param name="highest">No higher rate is tried: what the device does when it is always busy.</param>
    /// <returns>The highest rate that met the target, with what was measured at it; null if none did.</returns>
    /// <exception cref="QaicException">The device failed.</exception>
    /// <exception cref="OperationCanceledException">A measurement was interrupted: it says nothing about its rate.</exception>
    public (double Rate, Measurement Measurement)? Find(double highest)
    {
        (double, Measurement)? best = null;
        (double low, double high) = (0, highest);

        // What is always too slow is so at a hundredth of the rate, too.
        for (double rate = highest; rate > highest / 100 && high - low > Precision * high; rate = (low + high) / 2)
        {
            Measurement measured = measure(rate);
            if (measured.Failure is { } failure)
            {
                throw failure;
            }

            if (measured.IsInterrupted)
            {
                throw new OperationCanceledException();
            }

            bool meets = Meets(measured, target);
            progress(string.Create(CultureInfo.InvariantCulture, $"{BenchReport.Number(rate)} requests/s: p99 {BenchReport.Number(measured.Latency.Percentile(990) / 1e6)} ms, {(meets ? "meets the target" : "too slow")}"));
            if (meets)
            {
                best = (rate, measured);
                low = rate;
            }
            else
            {
                high = rate;
            }
        }

        return best;
    }
}
