using System.Text;
using Google.Protobuf;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Onnx;

[TestClass]
public sealed class OnnxModelTests
{
    public static IEnumerable<object[]> Models => ModelManifest.Models.Select(m => new object[] { m.Name });

    [TestMethod, DynamicData(nameof(Models))]
    public void Reading_and_writing_loses_nothing(string name)
    {
        // Fields that are not understood move behind those that are, so bytes change their places; messages compare by content, unknown fields included.
        OnnxModel model = OnnxModel.Load(Repository.Model(name));
        byte[] written = model.ToBytes();
        Assert.AreEqual(new FileInfo(Repository.Model(name)).Length, written.Length);
        Assert.AreEqual(model.Proto, OnnxModel.Parse(written, name).Proto);
    }

    [TestMethod]
    public void Inputs_outputs_symbols_and_opset_are_those_of_the_model()
    {
        OnnxModel model = OnnxModel.Load(Repository.Model("langid_dyn"));
        Assert.AreEqual("input_ids int64[batch, sequence]; attention_mask int64[batch, sequence]", string.Join("; ", model.Inputs));
        Assert.AreEqual("logits float[batch, 10]", string.Join("; ", model.Outputs));
        Assert.AreEqual(17, model.Opset);
    }

    [TestMethod]
    public void An_input_with_an_initializer_is_none()
    {
        ModelProto proto = Graphs.Model(
            [Graphs.Node("Add", ["x", "w"], ["y"])],
            [Graphs.Value("x", Graphs.Float, 2), Graphs.Value("w", Graphs.Float, 2)],
            [Graphs.Value("y", Graphs.Float, 2)],
            Graphs.Weights("w", [2], [1, 2]));
        OnnxModel model = OnnxModel.Parse(proto.ToByteArray(), "test");
        Assert.AreEqual("x", model.Inputs.Single().Name);
    }

    [TestMethod]
    public void Fields_that_are_not_understood_survive_at_every_level()
    {
        // doc_string of model (6), graph (10), node (6) and tensor (12) are ONNX fields outside the subset; 3000 is nobody's.
        byte[] tensor = [.. Graphs.Weights("w", [2], [1, 2]).ToByteArray(), .. Field(12, "of the tensor"u8), .. Field(3000, "T"u8)];
        byte[] node = [.. Graphs.Node("Add", ["x", "w"], ["y"]).ToByteArray(), .. Field(6, "of the node"u8), .. Field(3000, "N"u8)];
        byte[] graph =
        [
            .. Field(1, node), .. Field(5, tensor), .. Field(11, Graphs.Value("x", Graphs.Float, 2).ToByteArray()),
            .. Field(12, Graphs.Value("y", Graphs.Float, 2).ToByteArray()), .. Field(10, "of the graph"u8), .. Field(3000, "G"u8),
        ];
        byte[] model = [8, 8, .. Field(7, graph), .. Field(8, [16, 17]), .. Field(6, "of the model"u8), .. Field(3000, "M"u8)];

        byte[] written = OnnxModel.Parse(model, "test").ToBytes();
        Assert.AreEqual(model.Length, written.Length);
        foreach (string text in new[] { "of the tensor", "of the node", "of the graph", "of the model" })
        {
            Assert.IsTrue(written.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0, text);
        }

        foreach (byte[] unknown in new[] { Field(3000, "T"u8), Field(3000, "N"u8), Field(3000, "G"u8), Field(3000, "M"u8) })
        {
            Assert.IsTrue(written.AsSpan().IndexOf(unknown) >= 0, Encoding.UTF8.GetString(unknown));
        }

        CollectionAssert.AreEqual(written, OnnxModel.Parse(written, "test").ToBytes());
    }

    [TestMethod]
    public void Every_truncation_is_refused_or_read()
    {
        byte[] bytes = File.ReadAllBytes(Repository.Model("wine_mlp"));
        int refused = 0;
        for (int length = 0; length < bytes.Length; length++)
        {
            try
            {
                OnnxModel.Parse(bytes.AsMemory(0, length), "cut");
            }
            catch (CompilationException)
            {
                refused++;
            }
        }

        // A cut between two fields of the model itself leaves a model; all others do not.
        Assert.IsGreaterThan(bytes.Length - 20, refused);
    }

    [TestMethod]
    public void Messages_nested_without_end_are_refused()
    {
        byte[] graph = [];
        for (int i = 0; i < 1000; i++)
        {
            // A graph in an attribute of a node of a graph.
            graph = Field(1, Field(5, Field(6, graph)));
        }

        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => OnnxModel.Parse(Field(7, graph), "deep"));
        StringAssert.Contains(e.Message, "deep");
    }

    private static byte[] Field(int number, ReadOnlySpan<byte> content) => [.. Varint((number << 3) | 2), .. Varint(content.Length), .. content];

    private static byte[] Varint(int value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        bytes.Add((byte)value);
        return [.. bytes];
    }
}
