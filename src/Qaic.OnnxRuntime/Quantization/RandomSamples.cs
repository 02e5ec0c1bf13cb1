namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Data to profile with where there is none. Ranges that come from it say little of real data, so accuracy suffers; it shows that a network can be quantized and how fast it is then.</summary>
internal static class RandomSamples
{
    // Identifiers, positions and masks: small enough to be an index of any table.
    private const int IntegerLimit = 2;

    /// <summary>Normally distributed real numbers (mean 0, deviation 1), integers 0 and 1.</summary>
    /// <param name="inputs">The model's inputs, in the types of buffers.</param>
    /// <param name="count">Number of samples, each a whole inference.</param>
    /// <param name="seed">The same seed gives the same data.</param>
    public static IEnumerable<IReadOnlyDictionary<string, Tensor>> Create(IReadOnlyList<TensorSpec> inputs, int count, int seed)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return Generate(inputs, count, new Random(seed));
    }

    private static IEnumerable<IReadOnlyDictionary<string, Tensor>> Generate(IReadOnlyList<TensorSpec> inputs, int count, Random random)
    {
        for (int i = 0; i < count; i++)
        {
            yield return inputs.ToDictionary(input => input.Name, input => Fill(Tensor.Zeros(input), random));
        }
    }

    private static Tensor Fill(Tensor tensor, Random random)
    {
        switch (tensor.ElementType)
        {
            case ElementType.Float32:
                foreach (ref float value in tensor.AsSpan<float>())
                {
                    value = (float)Normal(random);
                }

                break;
            case ElementType.Float16:
                foreach (ref Half value in tensor.AsSpan<Half>())
                {
                    value = (Half)Normal(random);
                }

                break;
            case ElementType.BFloat16:
                foreach (ref ushort value in tensor.AsSpan<ushort>())
                {
                    value = (ushort)(BitConverter.SingleToUInt32Bits((float)Normal(random)) >> 16);
                }

                break;
            default:
                // Little endian: the first byte of each element.
                int size = tensor.ElementType.SizeInBytes();
                Span<byte> bytes = tensor.Bytes;
                for (int at = 0; at < bytes.Length; at += size)
                {
                    bytes[at] = (byte)random.Next(IntegerLimit);
                }

                break;
        }

        return tensor;
    }

    // Box and Muller's transform. 1 - u is above 0.
    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
