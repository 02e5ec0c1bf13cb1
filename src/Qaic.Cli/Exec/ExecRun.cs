using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Qaic.Cli.Data;

namespace Qaic.Cli.Exec;

/// <summary>Runs what was compiled, as the vendor's older tool does, and prints its figures.</summary>
internal static class ExecRun
{
    private const int RandomSeed = 1;

    /// <exception cref="UsageException">Outputs of more inferences are asked for than there are.</exception>
    /// <exception cref="QaicException">The card failed.</exception>
    /// <exception cref="IOException">Inputs cannot be read, or outputs written.</exception>
    public static async Task Run(ToolConsole console, ExecCommandLine line, string qpc, ToolLog log, CancellationToken cancellationToken)
    {
        QaicOptions options = QaicOptions.Default with { DeviceIds = line.Options.DeviceIds, NumActivations = line.Options.NumActivations, Backend = QaicBackend.Simulated };
        using Session session = await Session.CreateAsync(qpc, options, loggerFactory: log, cancellationToken: cancellationToken).ConfigureAwait(false);
        bool hasList = line.Options.InputListFile is not null && !line.Profiles;
        IReadOnlyDictionary<string, Tensor>[] given = hasList ? [.. InputFiles.Of(session).LoadList(line.Options.InputListFile!)] : [RandomInputs(session.Inputs, line.IsGaussian)];
        long? count = line.NumIter ?? (line.Seconds is null ? given.Length : null);
        int last = line.WriteOutputStart + line.WriteOutputSamples;
        if (line.WriteOutputDirectory is not null && last > count)
        {
            throw new UsageException($"The sum of write-output-start-iter({line.WriteOutputStart}) and write-output-num-samples({line.WriteOutputSamples}) should be <= numInf({count}).");
        }

        using OutputFiles? files = line.WriteOutputDirectory is { } directory ? new OutputFiles(directory, OutputFormat.Raw, session.Outputs) : null;
        session.Setup();
        long start = Stopwatch.GetTimestamp();
        long done = 0;
        await foreach (StreamResult result in session.RunStreamAsync(Samples(), cancellationToken: cancellationToken).ConfigureAwait(false))
        {
            done++;
            if (result.Index >= line.WriteOutputStart && result.Index < last)
            {
                files?.Add(result.Index, result.Outputs);
            }
        }

        double microseconds = Math.Max(Stopwatch.GetElapsedTime(start).TotalMicroseconds, 1);
        console.Output.WriteLine(" ---- Stats ----");
        console.Output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"InferenceCnt {done} TotalDuration {microseconds:0}us BatchSize {session.BatchSize} Inf/Sec {done * 1e6 / microseconds * session.BatchSize:0.000}"));

        IEnumerable<IReadOnlyDictionary<string, Tensor>> Samples()
        {
            for (long i = 0; count is { } all ? i < all : Stopwatch.GetElapsedTime(start).TotalSeconds < line.Seconds; i++)
            {
                yield return given[i % given.Length];
            }
        }
    }

    /// <summary>Made-up data: the same each time. Real numbers from 0 to 1 or normally distributed, integers 0 and 1, which are indices of any table.</summary>
    private static Dictionary<string, Tensor> RandomInputs(IReadOnlyList<TensorSpec> inputs, bool isGaussian)
    {
        var random = new Random(RandomSeed);
        return inputs.ToDictionary(i => i.Name, input =>
        {
            bool isReal = Runtime.ElementConversion.IsConvertible(input);
            Tensor tensor = Tensor.Zeros(isReal ? new TensorSpec(input.Name, ElementType.Float32, input.Shape) : input);
            if (isReal)
            {
                foreach (ref float value in MemoryMarshal.Cast<byte, float>(tensor.Bytes))
                {
                    value = isGaussian ? (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())) : random.NextSingle();
                }

                return tensor;
            }

            // Little endian: the first byte of each element.
            for (int at = 0; at < tensor.Bytes.Length; at += input.ElementType.SizeInBytes())
            {
                tensor.Bytes[at] = (byte)random.Next(2);
            }

            return tensor;
        });
    }
}
