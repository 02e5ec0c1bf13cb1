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
        string directory = Path.Combine(Path.GetTempPath(), $"qaic-inspect-{Guid.NewGuid():n}");
        Directory.CreateDirectory(directory);
        _directories.Add(directory);
        ICompiler compiler = Platform.Simulated().Compiler;
        compiler.Compile(Repository.Model("digits_cnn"), directory, options, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, TestContext.CancellationToken);
        return directory;
    }

    private readonly List<string> _directories = [];

    [TestCleanup]
    public void DeleteDirectories() => _directories.ForEach(d => Directory.Delete(d, recursive: true));
}
