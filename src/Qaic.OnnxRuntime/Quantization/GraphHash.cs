using System.Buffers.Binary;
using System.Text;
using Google.Protobuf;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>A 64-bit hash of a graph (FNV-1a over its parts): the same for the same network on every machine.</summary>
internal sealed class GraphHash
{
    private const ulong Basis = 0xcbf29ce484222325, Prime = 0x100000001b3;
    private ulong _hash = Basis;

    private GraphHash()
    {
    }

    /// <summary>Nodes with attributes and edges, the shapes of inputs, and of constants the name, shape and a checksum of the values.</summary>
    public static ulong Of(OnnxModel model)
    {
        var hash = new GraphHash();
        foreach (OperatorSetIdProto opset in model.Proto.OpsetImport)
        {
            hash.Add(opset.Domain);
            hash.Add(opset.Version);
        }

        hash.Add(model.Graph.Input.Concat(model.Graph.Output.Select(o => new ValueInfoProto { Name = o.Name })).ToList(), hash.Add);
        hash.Add(model.Graph.Initializer, t => hash.Add(model, t));
        hash.Add(model.Graph.Node, hash.Add);
        return hash._hash;
    }

    private void Add(ValueInfoProto value)
    {
        Add(value.Name);
        Add(value.Type?.TensorType?.ElemType ?? 0);
        Add(value.Type?.TensorType?.Shape?.Dim.ToList() ?? [], d => Add(d.HasDimValue ? d.DimValue : -1));
    }

    private void Add(OnnxModel model, TensorProto tensor)
    {
        Add(tensor.Name);
        Add(tensor.DataType);
        Add(tensor.Dims, Add);
        Add(InitializerData.Checksum(model, tensor));
    }

    private void Add(NodeProto node)
    {
        Add(node.OpType);
        Add(node.Domain);
        Add(node.Name);
        Add(node.Input, Add);
        Add(node.Output, Add);
        Add(node.Attribute.OrderBy(a => a.Name, StringComparer.Ordinal).ToList(), a => Add(a.ToByteArray()));
    }

    // With the length before it, so that [ab][c] and [a][bc] differ.
    private void Add<T>(ICollection<T> items, Action<T> add)
    {
        Add(items.Count);
        foreach (T item in items)
        {
            add(item);
        }
    }

    private void Add(string text) => Add(Encoding.UTF8.GetBytes(text));

    private void Add(byte[] bytes)
    {
        Add(bytes.Length);
        Mix(bytes);
    }

    private void Add(long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        Mix(bytes);
    }

    private void Mix(ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            _hash = unchecked((_hash ^ b) * Prime);
        }
    }
}
