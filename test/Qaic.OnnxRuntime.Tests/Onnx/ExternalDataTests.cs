using System.Runtime.InteropServices;
using Google.Protobuf;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Engine;

namespace Qaic.OnnxRuntime.Tests.Onnx;

[TestClass]
public sealed class ExternalDataTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly TemporaryDirectory _elsewhere = new();

    public void Dispose()
    {
        _directory.Dispose();
        _elsewhere.Dispose();
    }

    [TestMethod]
    public void Weights_in_a_file_beside_the_model_are_compiled_into_the_QPC()
    {
        // 64 bytes of something else, 64 weights, then 2 that are small enough to move into the model.
        float[] content = [.. Enumerable.Repeat(-1f, 16), .. Enumerable.Range(0, 64).Select(i => i + 0.5f), 3, 4];
        Directory.CreateDirectory(Path.Combine(_directory.Path, "data"));
        WriteFloats(Path.Combine(_directory.Path, "data", "weights.bin"), content);
        ModelProto model = Graphs.Model(
            [Graphs.Node("Add", ["x", "w"], ["z"]), Graphs.Node("Mul", ["z", "s"], ["y"])],
            [Graphs.Value("x", Graphs.Float, 32, 2)],
            [Graphs.Value("y", Graphs.Float, 32, 2)],
            Graphs.External("w", [32, 2], "data/weights.bin", offset: 64, length: 256),
            Graphs.External("s", [2], "data/weights.bin", offset: 320));
        using var bench = Bench.Of(Graphs.Save(model, _directory.Path));
        bench.Input(0).Clear();
        Directory.Delete(Path.Combine(_directory.Path, "data"), recursive: true);
        bench.Execution.Run();
        float[] expected = [.. Enumerable.Range(0, 64).Select(i => (i + 0.5f) * (i % 2 == 0 ? 3 : 4))];
        CollectionAssert.AreEqual(expected, MemoryMarshal.Cast<byte, float>(bench.Output(0)).ToArray());
    }

    [TestMethod]
    [DataRow("../weights.bin")]
    [DataRow("data/../../weights.bin")]
    [DataRow("..\\weights.bin")]
    [DataRow("/etc/hostname")]
    [DataRow("C:\\weights.bin")]
    [DataRow("\\\\server\\weights.bin")]
    [DataRow("")]
    public void A_location_outside_of_the_models_folder_is_refused(string location)
    {
        string inner = Directory.CreateDirectory(Path.Combine(_directory.Path, "model")).FullName;
        WriteFloats(Path.Combine(_directory.Path, "weights.bin"), new float[64]);
        CompilationException e = Refused(inner, location);
        StringAssert.Contains(e.Message, "Initializer 'w'");
        StringAssert.Contains(e.Message, location.Length == 0 ? "no location" : "not a path inside the model's folder");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void A_link_that_leaves_the_models_folder_is_refused(bool throughFolder)
    {
        string target = Path.Combine(_elsewhere.Path, "weights.bin");
        WriteFloats(target, new float[64]);
        if (throughFolder)
        {
            Directory.CreateSymbolicLink(Path.Combine(_directory.Path, "link"), _elsewhere.Path);
        }
        else
        {
            File.CreateSymbolicLink(Path.Combine(_directory.Path, "link"), target);
        }

        CompilationException e = Refused(_directory.Path, throughFolder ? "link/weights.bin" : "link");
        StringAssert.Contains(e.Message, "a link that leaves the model's folder");
    }

    [TestMethod]
    public void A_link_to_a_file_in_the_models_folder_is_followed()
    {
        WriteFloats(Path.Combine(_directory.Path, "weights.bin"), [.. Enumerable.Repeat(2f, 64)]);
        File.CreateSymbolicLink(Path.Combine(_directory.Path, "link"), "weights.bin");
        using var bench = Bench.Of(Graphs.Save(ModelWith("link"), _directory.Path));
        bench.Input(0).Clear();
        bench.Execution.Run();
        Assert.AreEqual(2f, MemoryMarshal.Cast<byte, float>(bench.Output(0))[63]);
    }

    [TestMethod]
    public void Links_in_a_circle_are_refused()
    {
        File.CreateSymbolicLink(Path.Combine(_directory.Path, "a"), "b");
        File.CreateSymbolicLink(Path.Combine(_directory.Path, "b"), "a");
        StringAssert.Contains(Refused(_directory.Path, "a").Message, "links");
    }

    [TestMethod]
    public void A_missing_or_short_file_is_refused_with_the_numbers()
    {
        StringAssert.Contains(Refused(_directory.Path, "missing.bin").Message, "not in the model's folder");
        WriteFloats(Path.Combine(_directory.Path, "short.bin"), new float[63]);
        StringAssert.Contains(Refused(_directory.Path, "short.bin").Message, "256 bytes at 0 of 'short.bin', which has 252");
    }

    [TestMethod]
    public void A_tensor_of_an_attribute_that_leaves_the_folder_is_refused_too()
    {
        var value = new AttributeProto { Name = "value", T = Graphs.External("constant", [64], "../weights.bin") };
        value.MergeFrom((byte[])[0xA0, 0x01, 4]); // type = TENSOR
        ModelProto model = Graphs.Model(
            [Graphs.Node("Constant", [], ["w"], value), Graphs.Node("Add", ["x", "w"], ["y"])], [Graphs.Value("x", Graphs.Float, 64)], [Graphs.Value("y", Graphs.Float, 64)]);
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Bench.Of(Graphs.Save(model, _directory.Path)));
        StringAssert.Contains(e.Message, "not a path inside the model's folder");
    }

    private static CompilationException Refused(string directory, string location) =>
        Assert.ThrowsExactly<CompilationException>(() => Bench.Of(Graphs.Save(ModelWith(location), directory)));

    private static ModelProto ModelWith(string location) => Graphs.Model(
        [Graphs.Node("Add", ["x", "w"], ["y"])], [Graphs.Value("x", Graphs.Float, 64)], [Graphs.Value("y", Graphs.Float, 64)], Graphs.External("w", [64], location));

    private static void WriteFloats(string path, float[] values) => File.WriteAllBytes(path, MemoryMarshal.AsBytes<float>(values).ToArray());
}
