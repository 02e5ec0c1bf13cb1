using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Cuts samples into rows and puts the rows into batches. Nothing is allocated per sample.</summary>
internal sealed class SampleBatcher
{
    private readonly SampleReader _reader;
    private readonly int[] _rowBytes;
    private int _next;

    // The first batch, for the last one.
    private byte[][]? _kept;
    private long[] _keptSamples = [];

    /// <param name="inputs">The model's inputs, in fixed shapes.</param>
    /// <param name="batchSize">Rows of an inference.</param>
    /// <param name="hasBatch">Whether the inputs' leading dimension is the batch; otherwise each sample is a whole inference.</param>
    public SampleBatcher(IReadOnlyList<OrtTensor> inputs, int batchSize, bool hasBatch)
    {
        _reader = new SampleReader([.. inputs.Select(i => new TensorSpec(i.Name, OnnxTypes.BufferType(i.DataType)!.Value, [.. i.Shape]))], hasBatch);
        _rowBytes = [.. inputs.Select(i => checked((int)(i.ByteLength / batchSize)))];
        BatchSize = batchSize;
    }

    /// <summary>Rows of an inference.</summary>
    public int BatchSize { get; }

    /// <summary>Number of the current sample, from 0; -1 before the first.</summary>
    public long Sample => _reader.Sample;

    /// <summary>Takes the next sample. The rows of the one before have to be taken by now.</summary>
    /// <exception cref="ArgumentException">The sample does not fit the model; the message names it by its number.</exception>
    public void Begin(IReadOnlyDictionary<string, Tensor>? sample)
    {
        _next = 0;
        _reader.Read(sample);
    }

    /// <summary>Copies rows of the current sample into a batch, as many as there are and fit.</summary>
    /// <param name="inputs">First byte of each input of the batch.</param>
    /// <param name="at">Rows that the batch has already.</param>
    /// <returns>Rows that were copied.</returns>
    public unsafe int Take(ReadOnlySpan<nint> inputs, int at)
    {
        int count = Math.Min(_reader.Rows - _next, BatchSize - at);
        for (int i = 0; i < _rowBytes.Length && count > 0; i++)
        {
            int bytes = _rowBytes[i];
            _reader.Tensors[i].Bytes.Slice(_next * bytes, count * bytes).CopyTo(new Span<byte>((byte*)inputs[i] + ((long)at * bytes), count * bytes));
        }

        _next += count;
        return count;
    }

    /// <summary>Remembers the rows of a full batch, for <see cref="Fill"/>.</summary>
    public unsafe void Keep(ReadOnlySpan<nint> inputs, ReadOnlySpan<long> samples)
    {
        _kept = new byte[_rowBytes.Length][];
        for (int i = 0; i < _rowBytes.Length; i++)
        {
            _kept[i] = new ReadOnlySpan<byte>((byte*)inputs[i], checked(_rowBytes[i] * BatchSize)).ToArray();
        }

        _keptSamples = samples.ToArray();
    }

    /// <summary>Fills the rest of a batch: with the rows that were kept, from the first one on; with its own over and over if there are none.</summary>
    /// <param name="inputs">First byte of each input of the batch.</param>
    /// <param name="samples">The sample of each row.</param>
    /// <param name="rows">Rows that the batch has; at least one.</param>
    public unsafe void Fill(ReadOnlySpan<nint> inputs, Span<long> samples, int rows)
    {
        for (int i = 0; i < _rowBytes.Length; i++)
        {
            int bytes = _rowBytes[i];
            var batch = new Span<byte>((byte*)inputs[i], checked(bytes * BatchSize));
            Repeat(_kept is null ? batch[..(rows * bytes)] : _kept[i], batch[(rows * bytes)..]);
        }

        Repeat(_kept is null ? samples[..rows] : _keptSamples, samples[rows..]);
    }

    private static void Repeat<T>(ReadOnlySpan<T> from, Span<T> to)
    {
        while (!to.IsEmpty)
        {
            int count = Math.Min(from.Length, to.Length);
            from[..count].CopyTo(to);
            to = to[count..];
        }
    }

    /// <summary>What a number is called that is none.</summary>
    internal static string Name(float value) => float.IsNaN(value) ? "NaN" : value > 0 ? "infinity" : "minus infinity";
}
