using Qaic.Runtime;

namespace Qaic;

public sealed partial class Session
{
    private const long DefaultBenchmarkInferences = 40;

    /// <summary>Measures how fast the device runs the network: all slots busy, below the managed API, after a warm-up of one inference per slot that does not count.</summary>
    /// <remarks>Takes the slots that nobody else has rented; for a meaningful figure let nothing else run on the session. A device that fails under way counts what ran again elsewhere.</remarks>
    /// <param name="numInferences">Inferences to count. Default 40, unless <paramref name="infTime"/> is given.</param>
    /// <param name="infTime">Time to run for, instead of a number of inferences.</param>
    /// <param name="inputs">Every input by name, as <see cref="Run(IReadOnlyDictionary{string, Tensor})"/> takes them; null: random numbers, in [0, 1) for floating types and 0 or 1 for integers,
    /// so that indices stay inside.</param>
    /// <param name="cancellationToken">Ends the measurement.</param>
    /// <exception cref="ArgumentException">Both limits are given, one is not positive, or the inputs are not the network's.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="QaicException">The device failed.</exception>
    public BenchmarkResult RunBenchmark(
        long? numInferences = null, TimeSpan? infTime = null, IReadOnlyDictionary<string, Tensor>? inputs = null, CancellationToken cancellationToken = default)
    {
        if (numInferences is not null && infTime is not null)
        {
            throw new ArgumentException("Both numInferences (num_inferences) and infTime (inf_time) are given; they exclude each other. Give one.", nameof(infTime));
        }

        if (numInferences < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(numInferences), numInferences, "The number of inferences (num_inferences) must be 1 or more.");
        }

        if (infTime <= TimeSpan.Zero)
        {
            throw new ArgumentOutOfRangeException(nameof(infTime), infTime, "The time to run for (inf_time) must be more than 0.");
        }

        if (inputs is not null && Check(inputs) is { } rows)
        {
            throw new ArgumentException($"A benchmark repeats one inference, which has {BatchSize} rows; the inputs have {rows}.", nameof(inputs));
        }

        inputs ??= RandomInputs();
        long? count = numInferences ?? (infTime is null ? DefaultBenchmarkInferences : null);
        var slots = new List<Inference>();
        try
        {
            slots.Add(Rent(cancellationToken));
            while (slots.Count < MaxInFlight && TryRent(out Inference slot))
            {
                slots.Add(slot);
            }

            foreach (Inference slot in slots)
            {
                Fill(slot, inputs);
            }

            int set = slots[0].ShapeSet;
            (long completed, TimeSpan elapsed) = new BenchmarkRunner(slots, count, infTime, cancellationToken).Run();
            int batchSize = LeadingDimension([.. Enumerable.Range(0, Inputs.Count + Outputs.Count).Select(i => _shapes.Tensor(set, i))]);
            return new BenchmarkResult(completed, completed / elapsed.TotalSeconds, elapsed, batchSize);
        }
        finally
        {
            foreach (Inference slot in slots)
            {
                slot.Dispose();
            }
        }
    }

    /// <summary>Random inputs: in [0, 1) for floating types, 0 or 1 for integers. The same for every call, in the largest shapes that occur together.</summary>
    private Dictionary<string, Tensor> RandomInputs()
    {
        var random = new Random(100);
        IReadOnlyList<TensorSpec> inputs = _shapes.Initial == ShapeSelection.None ? AllowedShapes[0].Inputs : Inputs;
        return inputs.ToDictionary(input => input.Name, input =>
        {
            Tensor tensor = Tensor.Zeros(input);
            switch (input.ElementType)
            {
                case ElementType.Float32:
                    foreach (ref float value in tensor.AsSpan<float>())
                    {
                        value = random.NextSingle();
                    }

                    break;
                case ElementType.Float16:
                    foreach (ref Half value in tensor.AsSpan<Half>())
                    {
                        value = (Half)random.NextSingle();
                    }

                    break;
                case ElementType.BFloat16:
                    foreach (ref ushort value in tensor.AsSpan<ushort>())
                    {
                        value = (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle()) >> 16);
                    }

                    break;
                default:
                    int size = input.ElementType.SizeInBytes();
                    for (int i = 0; i < tensor.Bytes.Length; i += size)
                    {
                        tensor.Bytes[i] = (byte)random.Next(2);
                    }

                    break;
            }

            return tensor;
        });
    }
}
