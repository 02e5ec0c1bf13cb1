using Google.Protobuf;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>The network as the simulated card runs it, as an ONNX file of its own.</summary>
internal static class QuantizedModelFile
{
    /// <summary>Writes a model with all its weights inside; replaces an existing file by a complete one only.</summary>
    /// <exception cref="Qaic.Compilation.CompilationException">With its weights the model is larger than 2 GiB.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static unsafe void Save(OnnxModel model, string path)
    {
        OnnxModel copy = model.Clone();
        foreach (TensorProto tensor in copy.AllTensors().Where(t => t.DataLocation == TensorProto.Types.DataLocation.External))
        {
            long length = tensor.Dims.Aggregate((long)OnnxTypes.RawSize(tensor.DataType), (bytes, dim) => checked(bytes * dim));
            (nint address, _) = model.ExternalData.Map(tensor, length);
            tensor.RawData = ByteString.CopyFrom(new ReadOnlySpan<byte>((void*)address, checked((int)length)));
            tensor.ExternalData.Clear();
            tensor.ClearDataLocation();
        }

        byte[] bytes = copy.ToBytes();
        string target = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        string temporary = $"{target}.{Guid.NewGuid():n}.tmp";
        try
        {
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, target, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
