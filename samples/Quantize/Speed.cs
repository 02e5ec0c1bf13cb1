using System.Diagnostics;
using Qaic;

namespace Quantize;

/// <summary>Size and speed of one compiled network.</summary>
/// <param name="Bytes">Size of the QPC.</param>
/// <param name="RowsPerSecond">Median of the rounds.</param>
internal sealed record Speed(long Bytes, double RowsPerSecond)
{
    private const int Rounds = 9;
    private const int LeastRows = 2000;

    /// <summary>Runs all networks in turn, round after round, so that whatever else the machine does slows all of them alike.</summary>
    /// <param name="images">Model and rows.</param>
    /// <param name="variants">Options of each network.</param>
    public static Speed[] Measure(Images images, IEnumerable<QaicOptions> variants)
    {
        var rows = new Dictionary<string, Tensor> { ["image"] = images.TestTensor };
        int passes = (LeastRows + images.Test.Length - 1) / images.Test.Length;
        Session[] sessions = [.. variants.Select(options => new Session(images.Model, options with { UseCache = false, Backend = QaicBackend.Simulated }))];
        try
        {
            double[][] rates = [.. sessions.Select(_ => new double[Rounds])];
            for (int round = -1; round < Rounds; round++)
            {
                for (int i = 0; i < sessions.Length; i++)
                {
                    long start = Stopwatch.GetTimestamp();
                    for (int pass = 0; pass < passes; pass++)
                    {
                        sessions[i].Run(rows);
                    }

                    // The first round loads the networks.
                    if (round >= 0)
                    {
                        rates[i][round] = passes * images.Test.Length / Stopwatch.GetElapsedTime(start).TotalSeconds;
                    }
                }
            }

            return [.. sessions.Zip(rates, (session, rate) => new Speed(new FileInfo(session.QpcPath).Length, rate.Order().ElementAt(Rounds / 2)))];
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
