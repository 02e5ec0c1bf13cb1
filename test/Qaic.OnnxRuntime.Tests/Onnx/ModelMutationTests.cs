using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Onnx;

/// <summary>The reader of models, and the compiler behind it, meet damaged ones. Each defect that was found is kept in <c>test/data/regressions</c>.</summary>
[TestClass]
public sealed class ModelMutationTests
{
    private static readonly Dictionary<string, ReaderUnderTest> s_readers = new[]
    {
        new ReaderUnderTest("onnx-model", false, Models(), Read, IsRefusal),
        new ReaderUnderTest("embedded-compiler", false, Models(), Compile, IsRefusal),
    }.ToDictionary(r => r.Name);

    private static readonly Dictionary<string, int> s_rounds = new()
    {
        ["onnx-model"] = Campaign.Size(everyDay: 1000, campaign: 500_000),
        ["embedded-compiler"] = Campaign.Size(everyDay: 60, campaign: 20_000),
    };

    private static string s_directory = "";

    public static IEnumerable<object[]> All => s_readers.Keys.Select(name => new object[] { name });

    public static IEnumerable<object[]> Regressions => s_readers.Values.SelectMany(r => r.Regressions.Select(file => new object[] { r.Name, Path.GetFileName(file) }));

    [ClassInitialize]
    public static void MakeDirectory(TestContext context)
    {
        s_directory = Directory.CreateTempSubdirectory("qaic-mutation-").FullName;
        File.WriteAllBytes(Path.Combine(s_directory, "weights.bin"), new byte[64]);
    }

    [ClassCleanup]
    public static void RemoveDirectory() => Directory.Delete(s_directory, recursive: true);

    [TestMethod, DynamicData(nameof(All))]
    public void Good_models_are_read(string reader)
    {
        foreach (byte[] good in s_readers[reader].Good)
        {
            s_readers[reader].Read(good);
        }
    }

    [TestMethod, DynamicData(nameof(All))]
    public void Damaged_models_are_read_or_refused_in_words(string reader) =>
        Assert.IsGreaterThan(s_rounds[reader] / 10, s_readers[reader].Survive(s_rounds[reader], seed: 5));

    [TestMethod, DynamicData(nameof(Regressions))]
    public void What_was_once_too_much_is_no_longer(string reader, string file) => s_readers[reader].Replay(Repository.Data("regressions", reader, file));

    // Weights inside, weights beside the model, and a subgraph.
    private static byte[][] Models()
    {
        ValueInfoProto x = Graphs.Value("x", Graphs.Float, 4, 2), y = Graphs.Value("y", Graphs.Float, 4, 2);
        var branch = new GraphProto { Name = "branch", Output = { Graphs.Value("z", Graphs.Float, 4, 2) }, Node = { Graphs.Node("Add", ["x", "w"], ["z"]) }, Initializer = { Graphs.Weights("w", [2], [1, 2]) } };
        return
        [
            Graphs.Model(
                [Graphs.Node("Gemm", ["x", "w", "b"], ["h"]), Graphs.Node("Relu", ["h"], ["y"])],
                [Graphs.Value("x", Graphs.Float, "batch", 2)],
                [Graphs.Value("y", Graphs.Float, "batch", 2)],
                Graphs.Weights("w", [2, 2], [1, 2, 3, 4]),
                new TensorProto { Name = "b", DataType = Graphs.Float, Dims = { 2 }, FloatData = { 0.5f, -0.5f } }).ToByteArray(),
            Graphs.Model([Graphs.Node("Add", ["x", "w"], ["y"])], [x], [y], Graphs.External("w", [4, 2], "weights.bin", offset: 16, length: 32)).ToByteArray(),
            Graphs.Model(
                [
                    Graphs.Node("If", ["c"], ["y"], new AttributeProto { Name = "then_branch", Type = AttributeProto.Types.AttributeType.Graph, G = branch }, new AttributeProto { Name = "else_branch", Type = AttributeProto.Types.AttributeType.Graph, G = branch }),
                ],
                [x],
                [y],
                new TensorProto { Name = "c", DataType = Graphs.Bool, Int32Data = { 1 } }).ToByteArray(),
        ];
    }

    private static void Read(byte[] bytes)
    {
        OnnxModel model = OnnxModel.Load(Write(bytes));
        try
        {
            foreach (TensorProto tensor in model.AllTensors().Concat(model.Graph.Initializer))
            {
                InitializerData.Checksum(model, tensor);
                InitializerData.Inlined(model, tensor);
                if (tensor.DataType == Graphs.Float)
                {
                    InitializerData.Singles(model, tensor);
                }
            }

            _ = new Dataflow(model.Graph);
            Assert.AreNotEqual("", string.Join("; ", model.Inputs.Concat(model.Outputs)) + model.Opset);
            Assert.IsNotEmpty(model.ToBytes());
        }
        finally
        {
            model.ExternalData.Dispose();
        }
    }

    private static void Compile(byte[] bytes)
    {
        using var output = TemporaryDirectory.Create();
        new OnnxRuntimeEngine().Compiler.Compile(Write(bytes), output.Path, QaicOptions.Default, NullLogger.Instance, CancellationToken.None);
    }

    private static string Write(byte[] bytes)
    {
        string path = Path.Combine(s_directory, "model.onnx");
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static bool IsRefusal(Exception e) => e is CompilationException && e.Message.Contains("model.onnx", StringComparison.Ordinal);
}
