using System.Text;
using Qaic.Compilation;
using Qaic.Interop;
using Qaic.Options;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.Runtime;
using Qaic.Tests.Compilation;
using Qaic.Tests.Interop;
using Qaic.Tests.Qpc;
using Qaic.Tests.Quantization;
using Qaic.TestSupport;

namespace Qaic.Tests.Readers;

/// <summary>Every reader of files meets damaged ones. Each defect that was found is kept in <c>test/data/regressions</c>.</summary>
/// <remarks>The containers' own damage, with reads outside the bytes, is in <see cref="QpcFuzzTests"/>.</remarks>
[TestClass]
public sealed class MutationTests
{
    private static readonly int s_rounds = Campaign.Size(everyDay: 400, campaign: 200_000);

    private static readonly TensorSpec[] s_listed = [new("x", ElementType.Float32, [1, 2]), new("ids", ElementType.Int64, [1, 2])];

    private static readonly Dictionary<string, ReaderUnderTest> s_readers = Readers().ToDictionary(r => r.Name);

    private static string s_directory = "";

    public static IEnumerable<object[]> All => s_readers.Keys.Select(name => new object[] { name });

    public static IEnumerable<object[]> Regressions => s_readers.Values.SelectMany(r => r.Regressions.Select(file => new object[] { r.Name, Path.GetFileName(file) }));

    [ClassInitialize]
    public static void MakeDirectory(TestContext context)
    {
        s_directory = Directory.CreateTempSubdirectory("qaic-mutation-").FullName;
        File.WriteAllBytes(Path.Combine(s_directory, "x.raw"), new byte[8]);
        File.WriteAllBytes(Path.Combine(s_directory, "ids.raw"), new byte[16]);
    }

    [ClassCleanup]
    public static void RemoveDirectory() => Directory.Delete(s_directory, recursive: true);

    [TestMethod, DynamicData(nameof(All))]
    public void Good_files_are_read(string reader)
    {
        foreach (byte[] good in s_readers[reader].Good)
        {
            s_readers[reader].Read(good);
        }
    }

    [TestMethod, DynamicData(nameof(All))]
    public void Damaged_files_are_read_or_refused_in_words(string reader)
    {
        int refused = s_readers[reader].Survive(s_rounds, seed: 7);

        // Else the damage is not worth its name. What a text of another program says is never refused.
        Assert.IsGreaterThan(reader == "qaic-util" ? -1 : s_rounds / 10, refused);
    }

    [TestMethod, DynamicData(nameof(Regressions))]
    public void What_was_once_too_much_is_no_longer(string reader, string file) => s_readers[reader].Replay(Repository.Data("regressions", reader, file));

    private static IEnumerable<ReaderUnderTest> Readers()
    {
        byte[][] descriptors = [.. Directory.GetFiles(Repository.Data("qpc", "netdesc"), "*.bin").Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
        yield return new("network-descriptor", false, descriptors, bytes => Use(IoDescriptor.FromNetwork(NetworkDescriptor.Parse(bytes))), IsQpc);
        yield return new("io-descriptor", false, [.. descriptors.Select(d => IoDescriptor.FromNetwork(NetworkDescriptor.Parse(d)).ToBytes())], bytes => Use(IoDescriptor.Parse(bytes)), IsQpc);
        yield return new("compilation-record", true, [Record().ToBytes()], ReadRecord, IsQpc);
        yield return Text("profile", bytes => ProfileText.Write(ProfileText.Read(bytes)), e => e is QuantizationFormatException && e.Message.StartsWith("p.yaml", StringComparison.Ordinal), ProfileText.Good);
        yield return File_("encodings-json", "e.json", path => QuantizationEncodings.Load(path), IsQuantization, EncodingsTests.Json, EncodingsTests.Listed);
        yield return File_("encodings-yaml", "e.yaml", path => QuantizationEncodings.Load(path), IsQuantization, EncodingsTests.Yaml);
        yield return File_(
            "node-precision",
            "n.yaml",
            path => NodePrecision.Load(path),
            IsQuantization,
            "FP16NodeInstanceNames: [Softmax_660, \"1104\"]\nFP32NodeInstanceNames:\n  - /Gather_output_0\n  - x\nenableFP32Bias: false\n");
        yield return File_("custom-io", "io.yaml", path => CustomIoFile.Load(path), IsCompilation, " - IOName: x\n   Precision: float16\n\n - IOName: 'y,1'\n   Precision: int8\n   Scale: 0.5\n   Offset: -3\n");
        yield return File_(
            "specializations",
            "s.json",
            path => SpecializationConfig.Load(path).ToJson(),
            IsCompilation,
            SpecializationConfigTests.Classic,
            SpecializationConfigTests.Named);
        yield return File_("options", "o.yaml", path => QaicOptions.FromYaml(path), IsOption, "aic_num_cores: 4\nonnx_define_symbol: [[batch, 1], [\"seq\", 128]]\nconvert_to_fp16: true\nset_size: 2 # two\n");
        yield return File_("input-list", "list.txt", path => Assert.IsNotEmpty(InputListFile.Load(path).Read(s_listed).ToList()), IsQuantization, "x.raw,ids.raw\n./x.raw,ids.raw\nx.raw,ids.raw\n");
        yield return File_("onnx-files", "m.onnx", path => _ = (OnnxFiles.Inputs(path), OnnxFiles.LeadingSymbol(path), OnnxFiles.ExternalLocations(path)), IsQpc, isText: false,
            [.. new[] { "wine_mlp", "digits_cnn" }.Select(m => File.ReadAllBytes(Repository.Model(m)))]);
        yield return Text("qaic-util", bytes => QaicUtil.Parse(Encoding.Latin1.GetString(bytes)), _ => false, QaicUtilTests.Text, QaicUtilTests.Json);
    }

    private static bool IsQpc(Exception e) => e is QpcFormatException { Offset: >= 0 };

    // The reader's own files are named with their path.
    private static bool IsQuantization(Exception e) => e is QuantizationFormatException && e.Message.StartsWith(s_directory, StringComparison.Ordinal);

    private static bool IsCompilation(Exception e) => e is CompilationException && e.Message.Contains(s_directory, StringComparison.Ordinal);

    private static bool IsOption(Exception e) => e is OptionException && e.Message.Contains(s_directory, StringComparison.Ordinal);

    private static ReaderUnderTest Text(string name, Action<byte[]> read, Predicate<Exception> isRefusal, params string[] good) =>
        new(name, true, [.. good.Select(Encoding.UTF8.GetBytes)], read, isRefusal);

    private static ReaderUnderTest File_(string name, string file, Action<string> read, Predicate<Exception> isRefusal, params string[] good) =>
        File_(name, file, read, isRefusal, isText: true, [.. good.Select(Encoding.UTF8.GetBytes)]);

    private static ReaderUnderTest File_(string name, string file, Action<string> read, Predicate<Exception> isRefusal, bool isText, byte[][] good) => new(
        name,
        isText,
        good,
        bytes =>
        {
            string path = Path.Combine(s_directory, file);
            File.WriteAllBytes(path, bytes);
            read(path);
        },
        isRefusal);

    private static void Use(IoDescriptor io)
    {
        io.SelectedSet.Bindings.ForEach(b => b.ToTensorSpec());
        ShapeSelection.Of(io);
        io.ToBytes();
    }

    private static CompilationRecord Record() => new()
    {
        Compiler = "embedded",
        CompilerVersion = "1.0",
        Options = new Dictionary<string, string> { ["aic_num_cores"] = "4" },
        BooleanTensors = ["mask"],
        Precision = new PrecisionRecord
        {
            Precision = "INT8",
            Schema = "symmetric",
            Percentile = 99.9,
            QuantizedNodes = ["a"],
            Tensors = [new("a", "a:0", QuantizedTensor.Activation, [0.5f], [0], -1, 1), new("w", null, QuantizedTensor.Weight, [0.5f, 0.25f], [0, 0], -1, 1), new("b", null, QuantizedTensor.Bias, [], [], 0, 1)],
        },
    };

    // As everybody does who shows or uses it.
    private static void ReadRecord(byte[] json)
    {
        string path = Path.Combine(s_directory, QpcFile.FileName);
        new QpcWriter().Add(CompilationRecord.SegmentName, json).Write(path);
        using QpcFile qpc = QpcFile.Open(path);
        CompilationRecord? record = CompilationRecord.Read(qpc);
        if (record is null)
        {
            return;
        }

        Assert.IsTrue(record.Compiler.Length + record.CompilerVersion.Length >= 0 && record.Options.All(o => o.Key.Length + o.Value.Length >= 0) && record.BooleanTensors.All(t => t.Length >= 0));
        if (record.Precision is { } precision)
        {
            Assert.AreEqual(precision, precision with { });
            Assert.AreEqual(precision.GetHashCode(), (precision with { }).GetHashCode());
            try
            {
                precision.ToEncodings();
            }
            catch (InvalidOperationException e)
            {
                Assert.AreNotEqual("", e.Message);
            }
        }
    }
}
