namespace Qaic.Cli.Commands.Bench;

/// <summary>How requests come.</summary>
internal enum LoadScenario
{
    /// <summary>All at once: every slot is busy all the time. Tells the throughput.</summary>
    Offline,

    /// <summary>One after the other, the next when the last is done. Tells the latency of a card that does nothing else.</summary>
    SingleStream,

    /// <summary>At times that do not depend on the answers, as users come. Tells the latency under a load.</summary>
    Server,
}

/// <summary>One repetition of a benchmark. A request is one inference: a whole batch.</summary>
/// <param name="Scenario">How requests come.</param>
/// <param name="Duration">How long they come; what has come by then is still served.</param>
internal sealed record LoadSettings(LoadScenario Scenario, TimeSpan Duration)
{
    /// <summary>Requests after which no more come; null: only <see cref="Duration"/> ends it.</summary>
    public long? Count { get; init; }

    /// <summary>Requests per second; server only.</summary>
    public double Rate { get; init; } = double.NaN;

    /// <summary>Server only: null for equal distances, else the seed of a Poisson process.</summary>
    public int? PoissonSeed { get; init; }

    /// <summary>Server: how long after the last arrival requests that wait are still served; the others are counted as unserved. Null: as long again as requests come, and a second.</summary>
    public TimeSpan? Patience { get; init; }

    /// <summary>How the scenario is written on the command line.</summary>
    public static string NameOf(LoadScenario scenario) => scenario switch
    {
        LoadScenario.Offline => "offline",
        LoadScenario.SingleStream => "single-stream",
        _ => "server",
    };
}
