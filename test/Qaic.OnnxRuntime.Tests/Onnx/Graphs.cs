using System.Runtime.InteropServices;
using Google.Protobuf;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Tests.Onnx;

/// <summary>Small ONNX models, written down.</summary>
internal static class Graphs
{
    public const int Float = 1;
    public const int Int64 = 7;
    public const int String = 8;
    public const int Bool = 9;
    public const int Double = 11;

    /// <summary>A model that consists of nodes, inputs and outputs.</summary>
    public static ModelProto Model(NodeProto[] nodes, ValueInfoProto[] inputs, ValueInfoProto[] outputs, params TensorProto[] initializers) => new()
    {
        IrVersion = 8,
        OpsetImport = { new OperatorSetIdProto { Version = 17 } },
        Graph = new GraphProto { Name = "test", Node = { nodes }, Input = { inputs }, Output = { outputs }, Initializer = { initializers } },
    };

    /// <summary>One node from x to y.</summary>
    public static ModelProto Unary(string op, ValueInfoProto x, ValueInfoProto y) => Model([Node(op, [x.Name], [y.Name])], [x], [y]);

    public static NodeProto Node(string op, string[] inputs, string[] outputs, params AttributeProto[] attributes) =>
        new() { OpType = op, Input = { inputs }, Output = { outputs }, Attribute = { attributes } };

    /// <param name="name">The tensor's name.</param>
    /// <param name="type">ONNX's number of the type.</param>
    /// <param name="dims">A number, a symbol, or "" for a dimension of which nothing is known.</param>
    public static ValueInfoProto Value(string name, int type, params object[] dims)
    {
        var shape = new TensorShapeProto();
        foreach (object dim in dims)
        {
            var dimension = new TensorShapeProto.Types.Dimension();
            if (dim is int length)
            {
                dimension.DimValue = length;
            }
            else if (dim is string { Length: > 0 } symbol)
            {
                dimension.DimParam = symbol;
            }

            shape.Dim.Add(dimension);
        }

        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = type, Shape = shape } } };
    }

    /// <summary>A value whose shape is not declared.</summary>
    public static ValueInfoProto Shapeless(string name, int type) =>
        new() { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = type } } };

    public static TensorProto Int64s(string name, params long[] values) => new() { Name = name, DataType = 7, Dims = { values.Length }, Int64Data = { values } };

    public static TensorProto Weights(string name, long[] dims, float[] values) =>
        new() { Name = name, DataType = Float, Dims = { dims }, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(values)) };

    /// <summary>A tensor whose bytes are in another file.</summary>
    public static TensorProto External(string name, long[] dims, string location, long offset = 0, long? length = null)
    {
        var tensor = new TensorProto { Name = name, DataType = Float, Dims = { dims }, DataLocation = TensorProto.Types.DataLocation.External };
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = $"{offset}" });
        if (length is { } bytes)
        {
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = $"{bytes}" });
        }

        return tensor;
    }

    public static string Save(ModelProto model, string directory, string name = "model.onnx")
    {
        string path = Path.Combine(directory, name);
        File.WriteAllBytes(path, model.ToByteArray());
        return path;
    }
}
