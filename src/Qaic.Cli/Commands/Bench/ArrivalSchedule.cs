namespace Qaic.Cli.Commands.Bench;

/// <summary>When requests arrive, decided before any is served: what is slow changes nothing about it.</summary>
/// <param name="rate">Requests per second; more than 0.</param>
/// <param name="poissonSeed">Null: at equal distances. Else the distances are exponentially distributed with this seed, as those of independent users.</param>
internal sealed class ArrivalSchedule(double rate, int? poissonSeed)
{
    private readonly Random? _random = poissonSeed is { } seed ? new Random(seed) : null;
    private double _at;
    private long _index;

    /// <summary>The next arrival, in nanoseconds from the start. The first is at 0.</summary>
    public long Next()
    {
        if (_random is null)
        {
            // From the index, so that no rounding adds up.
            return (long)(_index++ * 1e9 / rate);
        }

        double now = _at;
        _at += -Math.Log(1 - _random.NextDouble()) * 1e9 / rate;
        return (long)now;
    }
}
