using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests;

[TestClass]
public sealed class InspectTests
{
    public TestContext TestContext { get; set; } = null!;

    public static IEnumerable<object[]> GoodContainers => Directory.GetFiles(Repository.Data("qpc", "good"), "*.qpc").Select(f => new object[] { Path.GetFileName(f) });

    public static IEnumerable<object[]> BadContainers => Directory.GetFiles(Repository.Data("qpc", "bad"), "*.qpc").Select(f => new object[] { Path.GetFileName(f) });

    [TestMethod]
    public void Shows_the_tensors_of_a_container_that_another_compiler_made()
    {
        (int code, string output, _) = Run("inspect", Repository.Data("qpc", "good", "quant.qpc"));

        Assert.AreEqual(QaicTool.Success, code);
        StringAssert.Contains(output, "Network quant: 4 cores, 1 rows per inference");
        StringAssert.Matches(output, new(@"input +img +Float32 +\[1, 2, 2, 3\] +48"));
        StringAssert.Contains(output, "another compiler made it");
    }

    [TestMethod]
    [DynamicData(nameof(GoodContainers))]
    public void Reads_every_container_that_holds_a_network(string name)
    {
        string path = Repository.Data("qpc", "good", name);
        using var qpc = QpcFile.Open(path);
        bool hasNetwork = qpc.TryGetSegment(NetworkDescriptor.SegmentName, out _);

        (int code, string output, string error) = Run("inspect", "--json", path);

        if (code == QaicTool.Success)
        {
            using var json = JsonDocument.Parse(output);
            Assert.AreEqual(qpc.Segments.Count, json.RootElement.GetProperty("segments").GetArrayLength());
        }
        else
        {
            Assert.IsFalse(hasNetwork && !error.Contains("networkdesc", StringComparison.Ordinal), error);
            StringAssert.Contains(error, path);
        }
    }

    [TestMethod]
    [DynamicData(nameof(BadContainers))]
    public void Names_file_and_byte_of_a_damaged_container(string name)
    {
        string path = Repository.Data("qpc", "bad", name);

        (int code, string output, string error) = Run("inspect", path);

        Assert.AreEqual(QaicTool.Failure, code);
        Assert.AreEqual("", output);
        StringAssert.StartsWith(error, $"error: '{path}': ");
        StringAssert.Contains(error, "byte");
    }

    [TestMethod]
    [DataRow(float.NaN, "NaN"), DataRow(float.PositiveInfinity, "Infinity"), DataRow(float.NegativeInfinity, "-Infinity")]
    public void Shows_a_scale_that_is_no_number(float scale, string text)
    {
        string path = Written(n => n.Inputs[0].Initial.Scale = n.Inputs[0].Transformed.Scale = scale);

        (int code, string json, string error) = Run("inspect", "--json", path);
        (int tableCode, string table, _) = Run("inspect", path);

        Assert.AreEqual((QaicTool.Success, ""), (code, error));
        using var document = JsonDocument.Parse(json);
        Assert.AreEqual(text, document.RootElement.GetProperty("network").GetProperty("tensors")[0].GetProperty("scale").GetString());
        Assert.AreEqual(QaicTool.Success, tableCode);
        StringAssert.Contains(table, text);
    }

    [TestMethod]
    public void Shows_sets_of_more_and_of_fewer_shapes_than_there_are_tensors()
    {
        string path = Written(n =>
        {
            n.AllowedShapes.Add(Set([1, 11]));
            n.AllowedShapes.Add(Set([2, 22], [3, 33], [4, 44]));
        });

        (int code, string output, string error) = Run("inspect", path);

        Assert.AreEqual((QaicTool.Success, ""), (code, error));
        StringAssert.Contains(output, "2 sets of shapes");
        StringAssert.Matches(output, new(@"in +out +\(no tensor\)"));
        StringAssert.Matches(output, new(@"\[2, 22\] +\[3, 33\] +\[4, 44\]"));

        static ShapeSet Set(params int[][] shapes)
        {
            var set = new ShapeSet();
            foreach (int[] dims in shapes)
            {
                var shape = new TensorShape { Type = ElementType.Float32 };
                shape.Dims.AddRange(dims);
                set.Shapes.Add(shape);
            }

            return set;
        }
    }

    [TestMethod]
    public void Breaks_no_line_of_a_file_however_long_the_names_are()
    {
        string name = string.Join('/', Enumerable.Range(0, 100).Select(i => $"block {i}"));
        string path = Written(n => n.Inputs[0].Name = name);

        (_, string output, _) = Run("inspect", path);

        StringAssert.Contains(output, name);
        Assert.IsTrue(output.Split('\n').All(l => l.Length < 2 * name.Length), "nor is one filled up to the width");
    }

    [TestMethod]
    public void A_fault_that_nobody_expected_is_told_in_a_line()
    {
        (int code, string output, string error) = Run("inspect", new string('x', 10) + "\0y");

        Assert.AreEqual(QaicTool.Failure, code);
        Assert.AreEqual("", output);
        StringAssert.StartsWith(error, "error: ArgumentException: ");
        Assert.HasCount(1, error.TrimEnd().Split('\n'), error);
    }

    [TestMethod]
    public void Says_what_to_give_when_there_is_no_file()
    {
        (int code, _, string error) = Run("inspect", "no-such-qpc");

        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Contains(error, "Give a QPC file, or a directory that holds programqpc.bin");
    }

    [TestMethod]
    public void Refuses_a_command_line_that_it_does_not_understand()
    {
        (int code, _, string error) = Run("inspcet", "x");

        Assert.AreEqual(QaicTool.WrongUsage, code);
        StringAssert.Contains(error, "inspcet");
    }

    [TestMethod]
    public void Shows_precision_and_scales_of_a_quantized_network()
    {
        string directory = Compiled(new QaicOptions { BatchSize = 8, EnableChannelwise = true, ConvertToQuantize = true });

        (_, string text, _) = Run("inspect", directory);
        (_, string json, _) = Run("inspect", "--json", directory);

        StringAssert.Contains(text, "Precision INT8");
        StringAssert.Contains(text, "schema symmetric_with_uint8");
        StringAssert.Contains(text, "per channel");
        StringAssert.Matches(text, new(@"enable_channelwise +true"));
        using var document = JsonDocument.Parse(json);
        JsonElement precision = document.RootElement.GetProperty("compilation").GetProperty("precision");
        ImmutableArray<JsonElement> tensors = [.. precision.GetProperty("tensors").EnumerateArray()];
        Assert.IsTrue(tensors.Any(t => t.GetProperty("kind").GetString() == "weight" && t.GetProperty("scales").GetArrayLength() > 1), "weights have scales per channel");
        JsonElement input = tensors.Single(t => t.GetProperty("name").GetString() == "image");
        StringAssert.Matches(text, new($@"image +activation +\S+ +\S+ +{input.GetProperty("scales")[0].GetSingle().ToString("g6", System.Globalization.CultureInfo.InvariantCulture)} +"));
    }

    [TestMethod]
    public void Says_no_more_of_a_network_in_FP32()
    {
        (_, string text, _) = Run("inspect", Compiled(new QaicOptions { BatchSize = 8 }));

        StringAssert.Matches(text, new(@"Precision FP32\r?\n"));
    }

    [TestMethod]
    public void Tells_the_precision_of_an_FP16_network()
    {
        (_, string text, _) = Run("inspect", Compiled(new QaicOptions { BatchSize = 8, ConvertToFp16 = true }));

        StringAssert.Contains(text, "Precision FP16");
    }

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = new QaicTool(output, error, isRedirected: true).Run(args);
        return (code, output.ToString(), error.ToString());
    }

    private string Compiled(QaicOptions options)
    {
        string directory = NewDirectory();
        ICompiler compiler = Platform.Simulated().Compiler;
        compiler.Compile(Repository.Model("digits_cnn"), directory, options, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, TestContext.CancellationToken);
        return directory;
    }

    // A container of one input and one output, varied.
    private string Written(Action<NetworkDescriptor> vary)
    {
        var network = new NetworkDescriptor { NetworkName = "made", NumCores = 1, BatchSize = 1 };
        foreach ((List<NetworkBinding> bindings, string name) in new[] { (network.Inputs, "in"), (network.Outputs, "out") })
        {
            var binding = new NetworkBinding { Name = name };
            foreach (TensorDescriptor side in new[] { binding.Initial, binding.Transformed })
            {
                side.Type = ElementType.Int8Q;
                side.Scale = 0.5f;
                side.Dims.AddRange([1, 8]);
            }

            bindings.Add(binding);
        }

        network.AssignDmaBuffers();
        vary(network);
        string path = Path.Combine(NewDirectory(), QpcFile.FileName);
        new QpcWriter().Add(NetworkDescriptor.SegmentName, network.ToBytes()).Write(path, TestContext.CancellationToken);
        return path;
    }

    private string NewDirectory()
    {
        string directory = Path.Combine(Path.GetTempPath(), $"qaic-inspect-{Guid.NewGuid():n}");
        Directory.CreateDirectory(directory);
        _directories.Add(directory);
        return directory;
    }

    private readonly List<string> _directories = [];

    [TestCleanup]
    public void DeleteDirectories() => _directories.ForEach(d => Directory.Delete(d, recursive: true));
}
