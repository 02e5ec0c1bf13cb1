using Google.Protobuf;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Qpc;

namespace Qaic.OnnxRuntime;

/// <summary>The ONNX model in a QPC of the embedded compiler: the network as the simulated card runs it, with fixed shapes and in its precision.</summary>
public static class EmbeddedModel
{
    /// <summary>Writes the model as an ONNX file of its own, with all weights inside.</summary>
    /// <param name="qpc">The container.</param>
    /// <param name="stream">Receives the file.</param>
    /// <exception cref="NotSupportedException">The QPC holds no ONNX model: another compiler made it.</exception>
    /// <exception cref="QpcFormatException">The model or its weights are damaged.</exception>
    /// <exception cref="CompilationException">With its weights the model is larger than 2 GiB, which ONNX files cannot be.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public static unsafe void Write(QpcFile qpc, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(qpc);
        ArgumentNullException.ThrowIfNull(stream);
        var image = NetworkImage.Read(qpc);
        var model = OnnxModel.Parse(image.Model, "the QPC");
        Dictionary<string, MemoryWeight> weights = image.Weights.ToDictionary(w => w.Name, StringComparer.Ordinal);
        foreach (TensorProto tensor in model.Graph.Initializer.Where(t => t.DataLocation == TensorProto.Types.DataLocation.External))
        {
            MemoryWeight weight = weights[tensor.Name];
            tensor.RawData = weight.Length <= Array.MaxLength
                ? ByteString.CopyFrom(new ReadOnlySpan<byte>((void*)weight.Address, (int)weight.Length))
                : throw new CompilationException($"Weight '{tensor.Name}' has {weight.Length} bytes, more than an ONNX file can hold inside. Take {nameof(QpcFile)} segments as they are instead.");
            tensor.ExternalData.Clear();
            tensor.DataLocation = TensorProto.Types.DataLocation.Default;
        }

        model.CheckSize();
        model.Proto.WriteTo(stream);
        GC.KeepAlive(qpc);
    }
}
