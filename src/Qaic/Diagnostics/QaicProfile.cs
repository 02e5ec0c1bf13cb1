using System.Diagnostics;
using System.Globalization;
using Qaic.Diagnostics;

namespace Qaic;

/// <summary>Where the time of a session's first inferences went, phase by phase.</summary>
/// <remarks>An immutable copy. A profile keeps the first 100 000 inferences that end; <see cref="NumOfInferences"/> counts the later ones too.</remarks>
public sealed class QaicProfile
{
    internal QaicProfile(IReadOnlyList<InferenceProfile> inferences, long numOfInferences)
    {
        Inferences = inferences;
        NumOfInferences = numOfInferences;
    }

    /// <summary>The inferences that were kept, in the order of their numbers.</summary>
    public IReadOnlyList<InferenceProfile> Inferences { get; }

    /// <summary>How many inferences ended while the profile was recorded, kept or not.</summary>
    public long NumOfInferences { get; }

    /// <summary>Writes a table of the first inferences, as python's <c>print_profile_data(n)</c> does for its functions: name, number of calls, time of its own, time in total.</summary>
    /// <remarks>
    /// One block per inference, one row per phase, and a block with the sums if there is more than one. Times are in seconds. An inference consists of its phases, so it has no time of its own.
    /// The same in every culture.
    /// </remarks>
    /// <param name="writer">Receives the table.</param>
    /// <param name="n">How many inferences, 0 or more; all if there are fewer.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="n"/> is negative.</exception>
    public void Print(TextWriter writer, int n)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (n < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(n), n, "The number of inferences to print must be 0 or more.");
        }

        int printed = Math.Min(n, Inferences.Count);
        List<(string Name, string Calls, string Own, string Total)> rows = [("name", "num calls", "func time (s)", "total time (s)")];
        long[] sums = new long[PhaseTimestamps.PhaseCount];
        long[] phases = new long[PhaseTimestamps.PhaseCount];
        for (int i = 0; i < printed; i++)
        {
            InferenceProfile inference = Inferences[i];
            for (int phase = 0; phase < phases.Length; phase++)
            {
                phases[phase] = inference.Timestamps.Phase(phase);
                sums[phase] += phases[phase];
            }

            AddBlock(string.Create(CultureInfo.InvariantCulture, $"inference {inference.Index} (device {inference.DeviceId}, activation {inference.Activation})"), 1, phases);
        }

        if (printed > 1)
        {
            AddBlock(string.Create(CultureInfo.InvariantCulture, $"{printed} inferences"), printed, sums);
        }

        int name = rows.Max(r => r.Name.Length), calls = rows.Max(r => r.Calls.Length), own = rows.Max(r => r.Own.Length), total = rows.Max(r => r.Total.Length);
        foreach ((string Name, string Calls, string Own, string Total) row in rows)
        {
            writer.WriteLine($"| {row.Name.PadRight(name)} | {row.Calls.PadLeft(calls)} | {row.Own.PadLeft(own)} | {row.Total.PadLeft(total)} |");
        }

        if (n > printed && NumOfInferences > printed)
        {
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{NumOfInferences - printed} more inferences ran; a profile keeps the first {printed}."));
        }

        void AddBlock(string title, int count, ReadOnlySpan<long> ticks)
        {
            string times = count.ToString(CultureInfo.InvariantCulture);
            long sum = 0;
            foreach (long phase in ticks)
            {
                sum += phase;
            }

            rows.Add((title, times, Seconds(0), Seconds(sum)));
            for (int phase = 0; phase < ticks.Length; phase++)
            {
                string time = Seconds(ticks[phase]);
                rows.Add(("  " + PhaseTimestamps.PhaseNames[phase], times, time, time));
            }
        }

        static string Seconds(long ticks) => ((double)ticks / Stopwatch.Frequency).ToString("F9", CultureInfo.InvariantCulture);
    }

    /// <summary>Writes the inferences as Chrome trace events (JSON), which <c>chrome://tracing</c> and Perfetto open.</summary>
    /// <remarks>
    /// A device is a process. Its rows are lanes, grouped by activation; inferences in one lane follow each other, and inferences that overlap are in different lanes.
    /// Each inference is an event that encloses those of its six phases. Time stamps are microseconds after the profile's earliest request, with three decimals.
    /// </remarks>
    /// <param name="stream">Receives UTF-8; is left open.</param>
    public void WriteChromeTrace(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ChromeTrace.Write(stream, Inferences);
    }

    /// <summary>Writes the inferences as Chrome trace events into a file, which is replaced if it exists; see <see cref="WriteChromeTrace(Stream)"/>.</summary>
    /// <param name="path">The file; usually <c>.json</c>.</param>
    public void WriteChromeTrace(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using FileStream file = File.Create(path);
        WriteChromeTrace(file);
    }
}
