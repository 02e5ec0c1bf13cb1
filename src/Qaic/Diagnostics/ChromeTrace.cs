using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Qaic.Diagnostics;

/// <summary>Writes inferences in the Trace Event Format, JSON object form: complete events (<c>ph</c> X) and metadata that names processes and threads (<c>ph</c> M).</summary>
internal static class ChromeTrace
{
    // The writer holds what is not flushed in memory, and a full profile is a hundred megabytes.
    private const int FlushAt = 1 << 16;

    public static void Write(Stream stream, IReadOnlyList<InferenceProfile> inferences)
    {
        using var writer = new Utf8JsonWriter(stream);
        writer.WriteStartObject();
        writer.WriteString("displayTimeUnit", "ns");
        writer.WriteStartArray("traceEvents");
        foreach (IGrouping<int, InferenceProfile> device in inferences.GroupBy(i => i.DeviceId).OrderBy(g => g.Key))
        {
            Metadata(writer, "process_name", device.Key, 0, "name", string.Create(CultureInfo.InvariantCulture, $"device {device.Key}"));
            Metadata(writer, "process_sort_index", device.Key, 0, "sort_index", device.Key);
            int thread = 1;
            foreach (IGrouping<int, InferenceProfile> activation in device.GroupBy(i => i.Activation).OrderBy(g => g.Key))
            {
                int number = 0;
                foreach (List<InferenceProfile> lane in Lanes(activation))
                {
                    Metadata(writer, "thread_name", device.Key, thread, "name", string.Create(CultureInfo.InvariantCulture, $"activation {activation.Key}, lane {number}"));
                    Metadata(writer, "thread_sort_index", device.Key, thread, "sort_index", thread);
                    lane.ForEach(inference => Inference(writer, inference, thread));
                    thread++;
                    number++;
                }
            }
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    // First come, first lane that is free again. That is the smallest number of lanes: a new one is opened only if all others are busy at that time.
    private static List<List<InferenceProfile>> Lanes(IEnumerable<InferenceProfile> inferences)
    {
        List<List<InferenceProfile>> lanes = [];
        var freeLanes = new PriorityQueue<int, int>();
        var busyLanes = new PriorityQueue<int, long>();
        foreach (InferenceProfile inference in inferences.OrderBy(i => i.Timestamps.Requested).ThenBy(i => i.Index))
        {
            while (busyLanes.TryPeek(out int ended, out long end) && end <= inference.Timestamps.Requested)
            {
                busyLanes.Dequeue();
                freeLanes.Enqueue(ended, ended);
            }

            if (!freeLanes.TryDequeue(out int lane, out _))
            {
                lane = lanes.Count;
                lanes.Add([]);
            }

            lanes[lane].Add(inference);
            busyLanes.Enqueue(lane, inference.Timestamps.MarshalledOut);
        }

        return lanes;
    }

    private static void Inference(Utf8JsonWriter writer, InferenceProfile inference, int thread)
    {
        // The enclosing event first: of two that begin together, viewers take the first as the outer one.
        PhaseTimestamps t = inference.Timestamps;
        Complete(writer, string.Create(CultureInfo.InvariantCulture, $"inference {inference.Index}"), inference, thread, t.Requested, t.MarshalledOut);
        writer.WriteStartObject("args");
        writer.WriteNumber("index", inference.Index);
        writer.WriteNumber("device", inference.DeviceId);
        writer.WriteNumber("activation", inference.Activation);
        writer.WriteEndObject();
        writer.WriteEndObject();
        for (int phase = 0; phase < PhaseTimestamps.PhaseCount; phase++)
        {
            Complete(writer, PhaseTimestamps.PhaseNames[phase], inference, thread, t[phase], t[phase + 1]);
            writer.WriteEndObject();
        }

        if (writer.BytesPending >= FlushAt)
        {
            writer.Flush();
        }
    }

    // Leaves the object open.
    private static void Complete(Utf8JsonWriter writer, string name, InferenceProfile inference, int thread, long begin, long end)
    {
        decimal from = Microseconds(begin - inference.Origin);
        writer.WriteStartObject();
        writer.WriteString("name", name);
        writer.WriteString("cat", "qaic");
        writer.WriteString("ph", "X");
        writer.WriteNumber("ts", from);
        writer.WriteNumber("dur", Microseconds(end - inference.Origin) - from);
        writer.WriteNumber("pid", inference.DeviceId);
        writer.WriteNumber("tid", thread);
    }

    private static void Metadata(Utf8JsonWriter writer, string name, int process, int thread, string key, object value)
    {
        writer.WriteStartObject();
        writer.WriteString("name", name);
        writer.WriteString("ph", "M");
        writer.WriteNumber("pid", process);
        writer.WriteNumber("tid", thread);
        writer.WriteStartObject("args");
        if (value is int number)
        {
            writer.WriteNumber(key, number);
        }
        else
        {
            writer.WriteString(key, (string)value);
        }

        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    // Points in time are rounded, not durations, so that phases still meet and add up where a tick is not a whole number of nanoseconds.
    private static decimal Microseconds(long ticks) => Math.Round(ticks * 1_000_000m / Stopwatch.Frequency, 3);
}
