using System.Diagnostics;

namespace Qaic.Benchmarks;

/// <summary>Times several ways to do the same thing, in turns, so that whatever disturbs the machine disturbs them alike.</summary>
internal static class Interleaved
{
    /// <param name="rounds">How often all of them are timed.</param>
    /// <param name="budget">Time that each takes per round, about.</param>
    /// <param name="actions">The ways.</param>
    /// <returns>Per way and round: seconds per call.</returns>
    public static double[][] Measure(int rounds, TimeSpan budget, params Action[] actions) => Measure(rounds, budget, Stopwatch.GetTimestamp, Stopwatch.Frequency, actions);

    /// <summary>The same in the process's processor time, which others on the machine disturb less. For work on one thread.</summary>
    /// <inheritdoc cref="Measure(int, TimeSpan, Action[])"/>
    public static double[][] MeasureProcessor(int rounds, TimeSpan budget, params Action[] actions) => Measure(rounds, budget, () => Environment.CpuUsage.TotalTime.Ticks, TimeSpan.TicksPerSecond, actions);

    private static double[][] Measure(int rounds, TimeSpan budget, Func<long> clock, long frequency, Action[] actions)
    {
        double Time(Action action, int calls)
        {
            long start = clock();
            for (int i = 0; i < calls; i++)
            {
                action();
            }

            return (clock() - start) / (double)frequency;
        }

        int[] calls = [.. actions.Select(action => Calls(action, budget, Time))];
        double[][] times = [.. actions.Select(_ => new double[rounds])];
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < actions.Length; i++)
            {
                // Another one begins in each round: who comes first after a pause is slower.
                int at = (i + round) % actions.Length;
                times[at][round] = Time(actions[at], calls[at]) / calls[at];
            }
        }

        return times;
    }

    /// <summary>Median of the rounds' ratios: how many times longer <paramref name="a"/> takes than <paramref name="b"/>.</summary>
    public static double Ratio(double[] a, double[] b) => Median(a.Zip(b, (x, y) => x / y));

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    private static int Calls(Action action, TimeSpan budget, Func<Action, int, double> time)
    {
        action();
        int calls = 1;
        while (true)
        {
            double seconds = time(action, calls);
            if (seconds >= budget.TotalSeconds / 4)
            {
                return Math.Max(1, (int)(calls * budget.TotalSeconds / seconds));
            }

            calls *= 2;
        }
    }
}
