namespace Qaic.Qpc;

/// <summary>Bytes of a host buffer, as the runtime counts them.</summary>
internal static class BufferSize
{
    /// <summary>Product of the dimensions times the element's size. A dimension of 0 counts as 1, as in the runtime; no dimensions mean one element.</summary>
    /// <remarks>The runtime wraps around at 32 bits and throws for types it does not know; here both are errors that name the binding.</remarks>
    /// <exception cref="QpcFormatException">A negative dimension, more than the 4 GiB that a 32-bit size can say, or an unknown type.</exception>
    public static long Of(ElementType type, List<int> dims, string binding)
    {
        if (!Enum.IsDefined(type))
        {
            throw new QpcFormatException($"Binding '{binding}' has data type {(int)type}; known are 0 to 11", 0);
        }

        long bytes = type.SizeInBytes();
        foreach (int dim in dims)
        {
            if (dim < 0)
            {
                throw new QpcFormatException($"Binding '{binding}' has the dimension {dim}", 0);
            }

            // Each factor is below 2^31 and the product so far is checked to be below 2^32, so 64 bits do not overflow.
            bytes *= Math.Max(dim, 1);
            if (bytes > uint.MaxValue)
            {
                throw new QpcFormatException($"Binding '{binding}' of shape [{string.Join(", ", dims)}] is larger than the 4 GiB that the format can express", 0);
            }
        }

        return bytes;
    }
}
