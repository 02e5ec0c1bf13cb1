using Google.Protobuf;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>The network as the simulated card runs it, as an ONNX file of its own.</summary>
internal static class QuantizedModelFile
{
    /// <summary>Writes a model with all its weights inside; replaces an existing file by a complete one only.</summary>
    /// <exception cref="Qaic.Compilation.CompilationException">With its weights the model is larger than 2 GiB.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(OnnxModel model, string path)
    {
        OnnxModel copy = model.Clone();
        foreach (TensorProto tensor in copy.AllTensors())
        {
            InitializerData.Inline(copy, tensor);
        }

        copy.CheckSize();
        string target = Path.GetFullPath(path);
        string temporary = $"{target}.{Guid.NewGuid():n}.tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            using (FileStream stream = File.Create(temporary))
            {
                copy.Proto.WriteTo(stream);
            }

            File.Move(temporary, target, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The quantized model (DumpQuantizedModel, dump_quantized_model) cannot be written to '{target}': {e.Message} Choose a file in a folder that can be written.", e);
        }
        finally
        {
            if (File.Exists(temporary))
            {
                File.Delete(temporary);
            }
        }
    }
}
