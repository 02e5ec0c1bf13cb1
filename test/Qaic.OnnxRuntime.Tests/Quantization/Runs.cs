using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Qaic.OnnxRuntime.Onnx;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>Runs of sessions over arrays, without a card around them.</summary>
internal static unsafe class Runs
{
    /// <summary>All outputs of one inference.</summary>
    public static Dictionary<string, Npy> Once(OrtSession session, IReadOnlyDictionary<string, Npy> inputs)
    {
        var pins = new List<GCHandle>();
        var values = new List<OrtValue>();
        try
        {
            foreach (OrtTensor input in session.Inputs)
            {
                Npy array = inputs[input.Name];
                var pin = GCHandle.Alloc(array.Bytes, GCHandleType.Pinned);
                pins.Add(pin);
                values.Add(OrtValue.CreateTensorValueWithData(
                    OrtMemoryInfo.DefaultInstance, (TensorElementType)input.DataType, [.. array.Shape.Select(d => (long)d)], pin.AddrOfPinnedObject(), array.Bytes.Length));
            }

            using var options = new RunOptions();
            using IDisposableReadOnlyCollection<OrtValue> outputs = session.Session.Run(options, [.. session.Inputs.Select(i => i.Name)], values, [.. session.Outputs.Select(o => o.Name)]);
            var results = new Dictionary<string, Npy>();
            for (int i = 0; i < outputs.Count; i++)
            {
                OrtTensorTypeAndShapeInfo shape = outputs[i].GetTensorTypeAndShape();
                results[session.Outputs[i].Name] = new Npy(
                    OnnxTypes.BufferType((int)shape.ElementDataType)!.Value, [.. shape.Shape.Select(d => (int)d)], outputs[i].GetTensorMutableRawData().ToArray());
            }

            return results;
        }
        finally
        {
            values.ForEach(v => v.Dispose());
            pins.ForEach(p => p.Free());
        }
    }

    /// <summary>All outputs of a model on all its test rows. The last of fixed batches is filled with the first rows.</summary>
    public static Dictionary<string, Npy> All(OrtSession session, TestModel model)
    {
        Npy[] inputs = [.. session.Inputs.Select(i => model.Input(i.Name))];
        int rows = inputs[0].Rows;
        int batch = session.Inputs[0].Shape[0] > 0 ? session.Inputs[0].Shape[0] : rows;
        var parts = new Dictionary<string, List<byte[]>>();
        var results = new Dictionary<string, Npy>();
        for (int first = 0; first < rows; first += batch)
        {
            int at = first;
            Dictionary<string, Npy> outputs = Once(session, session.Inputs.Zip(inputs).ToDictionary(i => i.First.Name, i => Batch(i.Second, at, batch)));
            foreach ((string name, Npy output) in outputs)
            {
                int count = Math.Min(batch, rows - first);
                parts.TryAdd(name, []);
                parts[name].Add(output.RowSlice(0, count).ToArray());
                results[name] = new Npy(output.Type, [rows, .. output.Shape[1..]], first + batch >= rows ? [.. parts[name].SelectMany(p => p)] : new byte[rows * output.RowBytes]);
            }
        }

        return results;
    }

    private static Npy Batch(Npy array, int first, int batch)
    {
        byte[] bytes = new byte[batch * array.RowBytes];
        for (int i = 0; i < batch; i++)
        {
            array.RowSlice((first + i) % array.Rows, 1).CopyTo(bytes.AsSpan(i * array.RowBytes));
        }

        return new Npy(array.Type, [batch, .. array.Shape[1..]], bytes);
    }
}
