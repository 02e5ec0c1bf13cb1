using System.Diagnostics;
using Qaic;

namespace Quantize;

/// <summary>Size and speed of one compiled network.</summary>
/// <param name="Bytes">Size of the QPC.</param>
/// <param name="RowsPerSecond">The fastest of many short rounds: the one that was disturbed least.</param>
internal sealed record Speed(long Bytes, double RowsPerSecond)
{
    private const int LeastRounds = 20;
    private const int WarmUpRounds = 5;

    private static readonly TimeSpan s_duration = TimeSpan.FromSeconds(6);

    /// <summary>Runs all networks in turn, round after round, so that whatever else the machine does slows all of them alike.</summary>
    /// <param name="images">Model and rows.</param>
    /// <param name="variants">Options of each network.</param>
    public static Speed[] Measure(Images images, IEnumerable<QaicOptions> variants)
    {
        var rows = new Dictionary<string, Tensor> { ["image"] = images.TestTensor };
        Session[] sessions = [.. variants.Select(options => new Session(images.Model, options with { UseCache = false, Backend = QaicBackend.Simulated }))];
        try
        {
            double[] rates = new double[sessions.Length];
            long begin = Stopwatch.GetTimestamp();
            for (int round = -WarmUpRounds; round < LeastRounds || Stopwatch.GetElapsedTime(begin) < s_duration; round++)
            {
                for (int i = 0; i < sessions.Length; i++)
                {
                    long start = Stopwatch.GetTimestamp();
                    sessions[i].Run(rows);
                    double rate = images.Test.Length / Stopwatch.GetElapsedTime(start).TotalSeconds;
                    rates[i] = round < 0 ? 0 : Math.Max(rates[i], rate);
                }
            }

            return [.. sessions.Zip(rates, (session, rate) => new Speed(new FileInfo(session.QpcPath).Length, rate))];
        }
        finally
        {
            foreach (Session session in sessions)
            {
                session.Dispose();
            }
        }
    }
}
