using System.Text;

namespace Qaic.OnnxRuntime.Onnx;

/// <summary>Attributes of ONNX nodes, read and written.</summary>
internal static class NodeAttributes
{
    /// <summary>The attribute; null if the node has none of that name.</summary>
    public static AttributeProto? Find(this NodeProto node, string name) => node.Attribute.FirstOrDefault(a => a.Name == name);

    /// <summary>An integer attribute, or its default.</summary>
    public static long Int(this NodeProto node, string name, long otherwise) => node.Find(name) is { HasI: true } found ? found.I : otherwise;

    /// <summary>A number, or its default.</summary>
    public static float Float(this NodeProto node, string name, float otherwise) => node.Find(name) is { HasF: true } found ? found.F : otherwise;

    /// <summary>A text, or its default.</summary>
    public static string Text(this NodeProto node, string name, string otherwise) => node.Find(name) is { HasS: true } found ? found.S.ToString(Encoding.UTF8) : otherwise;

    /// <summary>Whether the node is an operator of the ONNX standard with this name.</summary>
    public static bool Is(this NodeProto node, string op) => node.OpType == op && (node.Domain is "" or "ai.onnx");

    /// <summary>The node's input; empty if it is left out.</summary>
    public static string InputAt(this NodeProto node, int index) => index < node.Input.Count ? node.Input[index] : "";

    /// <summary>What a node goes by in messages and precision lists: its first output.</summary>
    public static string Key(this NodeProto node) => node.Output.FirstOrDefault(o => o.Length > 0) ?? node.Name;

    /// <summary>An integer attribute.</summary>
    public static AttributeProto Int(string name, long value) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = value };

    /// <summary>A number.</summary>
    public static AttributeProto Float(string name, float value) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Float, F = value };

    /// <summary>The graphs inside a node: branches, loop bodies.</summary>
    public static IEnumerable<GraphProto> Subgraphs(this NodeProto node) => node.Attribute.SelectMany(a => a.G is { } graph ? a.Graphs.Prepend(graph) : a.Graphs);
}
