using System.Buffers.Binary;
using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Qpc;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Compilation;

[TestClass]
public sealed class QpcContentTests : IDisposable
{
    private readonly TemporaryDirectory _directory = TemporaryDirectory.Create();

    public void Dispose() => _directory.Dispose();

    [TestMethod]
    public void Segments_are_those_of_the_vendor_and_the_record_sorted_by_name()
    {
        using QpcFile qpc = Compile("digits_cnn", new() { NumCores = 4, BatchSize = 8 });
        Assert.AreEqual("compilation.json, constants.bin, constantsdesc.bin, network.elf, networkdesc.bin", string.Join(", ", qpc.Segments.Select(s => s.Name)));
        CompilationRecord record = CompilationRecord.Read(qpc)!;
        Assert.AreEqual("embedded", record.Compiler);
        Assert.AreEqual("aic_num_cores=4 batch_size=8", string.Join(' ', record.Options.Select(o => $"{o.Key}={o.Value}")));
        NetworkDescriptor network = qpc.ReadNetworkDescriptor();
        Assert.AreEqual(4u, network.NumCores);
        Assert.AreEqual("image; logits", $"{network.Inputs.Single().Name}; {network.Outputs.Single().Name}");
        Assert.AreEqual("2048 In; 320 Out", string.Join("; ", network.DmaBuffers.Select(b => $"{b.Size} {b.Direction}")));
    }

    [TestMethod]
    public void Constants_are_the_models_weights_at_multiples_of_64()
    {
        OnnxModel source = OnnxModel.Load(Repository.Model("digits_cnn"));
        using QpcFile qpc = Compile("digits_cnn");
        QpcSegment constants = qpc.Segments.Single(s => s.Name == "constants.bin");
        long end = 0;
        foreach (TensorProto tensor in source.Graph.Initializer.Where(t => t.RawData.Length >= 128))
        {
            long at = (end + 63) / 64 * 64;
            Assert.IsTrue(constants.Slice(at, tensor.RawData.Length).SequenceEqual(tensor.RawData.Span), tensor.Name);
            end = at + tensor.RawData.Length;
        }

        Assert.AreEqual(constants.Length, end);
        Assert.AreEqual(constants.Length, constants.StaticLength);
        ReadOnlySpan<byte> descriptor = qpc.Segments.Single(s => s.Name == "constantsdesc.bin").Span;
        Assert.AreEqual(24, descriptor.Length);
        Assert.AreEqual(end, BinaryPrimitives.ReadInt64LittleEndian(descriptor));
        Assert.IsFalse(descriptor[8..].ContainsAnyExcept((byte)0), "nothing dynamic, no ECC");
    }

    [TestMethod]
    public void The_ELF_holds_the_model_without_its_weights()
    {
        using QpcFile qpc = Compile("resnet8");
        Dictionary<string, byte[]> sections = MiniElf.Sections(qpc.Segments.Single(s => s.Name == "network.elf").Span.ToArray());
        Assert.AreEqual("metadata, onnx, onnx.crc32c, .shstrtab", string.Join(", ", sections.Keys));
        OnnxModel model = OnnxModel.Parse(sections["onnx"], "section");
        Assert.AreEqual("image float[32, 3, 32, 32] logits float[32, 10]", $"{model.Inputs.Single()} {model.Outputs.Single()}");
        Assert.IsLessThan(16_000, sections["onnx"].Length);
        Assert.IsTrue(model.AllTensors().All(t => t.RawData.Length < 128));
    }

    [TestMethod]
    public void The_metadata_is_what_a_runtime_asks_for()
    {
        using QpcFile qpc = Compile("langid_dyn", Engine.TrainedModelTests.WithSymbol("sequence", 16) with { NumCores = 2 });
        NetworkDescriptor network = qpc.ReadNetworkDescriptor();
        MiniFlat root = MiniFlat.Root(MiniElf.Sections(qpc.Segments.Single(s => s.Name == "network.elf").Span.ToArray())["metadata"]);
        Assert.AreEqual(1ul, root.Number(0, 2), "versionMajor");
        Assert.AreEqual(0ul, root.Number(1, 2), "versionMinor");
        Assert.AreEqual(network.NetworkName, root.Text(2));
        Assert.AreNotEqual("", network.NetworkName);
        Assert.AreEqual(0, root.Count(3), "requiredFields");
        Assert.AreEqual(2ul, root.Number(19, 2), "numNSPs");
        Assert.AreEqual(2ul, root.Number(21, 1), "hwVersionMajor");
        Assert.AreEqual((ulong)qpc.Segments.Single(s => s.Name == "constants.bin").Length, root.Number(13, 8), "staticConstantsSize");
        Assert.IsNotNull(root.Table(8), "hostMulticastTable");
        Assert.HasCount(1, root.Tables(7), "nspMulticastTables");
        MiniFlat[] requests = root.Tables(6);
        Assert.AreEqual(network.DmaBuffers.Count, (int)requests.Max(r => r.Number(5, 2)) + 1, "as many DMA buffers as the descriptor has");
        for (int i = 0; i < requests.Length; i++)
        {
            Assert.AreEqual(network.DmaBuffers[i].Size, (uint)requests[i].Number(4, 4), "size");
            Assert.AreEqual((ulong)network.DmaBuffers[i].Direction, requests[i].Number(8, 1), "inOut");
            Assert.AreEqual(network.DmaBuffers[i].Direction == DmaDirection.In ? 100ul : 101ul, requests[i].Number(9, 2), "portId");
        }
    }

    [TestMethod]
    public void Readelf_finds_nothing_to_complain_about()
    {
        using QpcFile qpc = Compile("wine_mlp");
        string path = Path.Combine(_directory.Path, "network.elf");
        File.WriteAllBytes(path, qpc.Segments.Single(s => s.Name == "network.elf").Span.ToArray());
        Process process;
        try
        {
            process = Process.Start(new ProcessStartInfo("readelf", ["-a", "-W", path]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Inconclusive("readelf is not here; install binutils.");
            return;
        }

        using (process)
        {
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.AreEqual("", errors.Result);
            Assert.AreEqual(0, process.ExitCode);
            StringAssert.Contains(output, "ELF64");
            StringAssert.Contains(output, "QUALCOMM DSP6");
            StringAssert.Contains(output, "metadata");
        }
    }

    [TestMethod]
    public void Two_compilations_give_the_same_bytes()
    {
        QaicOptions options = Engine.TrainedModelTests.WithSymbol("sequence", 8) with { BatchSize = 4 };
        byte[] first = File.ReadAllBytes(Compiled("langid_dyn", options, "a"));
        CollectionAssert.AreEqual(first, File.ReadAllBytes(Compiled("langid_dyn", options, "b")));
    }

    [TestMethod]
    public void Options_that_cannot_be_honoured_are_recorded_and_named_in_one_line()
    {
        var log = new Engine.MessageList();
        QaicOptions options = new() { NumCores = 2, Mos = [1, 2], MulticastWeights = true, SetSize = 2, CompilerArguments = ["-next=1"] };
        using QpcFile qpc = QpcFile.Open(new EmbeddedCompiler().Compile(Repository.Model("digits_cnn"), Path.Combine(_directory.Path, "out"), options, log, CancellationToken.None));
        Assert.AreEqual(
            """aic_num_cores=2 compiler_args=["-next=1"] mos=[1, 2] multicast_weights=true""", string.Join(' ', CompilationRecord.Read(qpc)!.Options.Where(o => o.Key != "batch_size").Select(o => $"{o.Key}={o.Value}")));
        StringAssert.Contains(log.Messages.Single(m => m.StartsWith("Information ", StringComparison.Ordinal)), "recorded in the QPC only: compiler_args, mos, multicast_weights");
    }

    [TestMethod]
    public void Options_that_are_honoured_are_not_remarked_upon()
    {
        var log = new Engine.MessageList();
        new EmbeddedCompiler().Compile(Repository.Model("digits_cnn"), Path.Combine(_directory.Path, "out"), new QaicOptions { NumCores = 2, BatchSize = 4 }, log, CancellationToken.None);
        Assert.AreEqual("", string.Join('\n', log.Messages.Where(m => m.StartsWith("Information ", StringComparison.Ordinal))));
    }

    [TestMethod]
    public void Boolean_tensors_travel_as_bytes_and_are_recorded()
    {
        ModelProto model = Graphs.Model(
            [Graphs.Node("And", ["a", "b"], ["y"])], [Graphs.Value("a", Graphs.Bool, 3), Graphs.Value("b", Graphs.Bool, 3)], [Graphs.Value("y", Graphs.Bool, 3)]);
        using var bench = Engine.Bench.Of(Graphs.Save(model, _directory.Path));
        Assert.AreEqual("a, b, y", string.Join(", ", CompilationRecord.Read(bench.Qpc)!.BooleanTensors));
        Assert.AreEqual(ElementType.UInt8, bench.Descriptor.Inputs[0].Initial.Type);
        new byte[] { 0, 1, 1 }.CopyTo(bench.Input(0));
        new byte[] { 1, 1, 0 }.CopyTo(bench.Input(1));
        bench.Execution.Run();
        CollectionAssert.AreEqual(new byte[] { 0, 1, 0 }, bench.Output(0).ToArray());
    }

    [TestMethod]
    public void A_missing_model_is_a_FileNotFoundException() =>
        Assert.ThrowsExactly<FileNotFoundException>(() => new EmbeddedCompiler().Compile(Path.Combine(_directory.Path, "none.onnx"), _directory.Path, QaicOptions.Default, NullLogger.Instance, CancellationToken.None));

    [TestMethod]
    public void A_cancelled_compilation_writes_nothing()
    {
        string output = Path.Combine(_directory.Path, "out");
        Assert.ThrowsExactly<OperationCanceledException>(() => new EmbeddedCompiler().Compile(Repository.Model("wine_mlp"), output, QaicOptions.Default, NullLogger.Instance, new CancellationToken(canceled: true)));
        Assert.IsFalse(Directory.Exists(output));
    }

    [TestMethod]
    public void A_failed_compilation_leaves_an_existing_QPC_alone()
    {
        byte[] before = File.ReadAllBytes(Compiled("wine_mlp", QaicOptions.Default, "out"));
        Assert.ThrowsExactly<CompilationException>(() => Compiled("langid_dyn", QaicOptions.Default, "out"));
        CollectionAssert.AreEqual(before, File.ReadAllBytes(Path.Combine(_directory.Path, "out", "programqpc.bin")));
        Assert.HasCount(1, Directory.GetFileSystemEntries(Path.Combine(_directory.Path, "out")));
    }

    private QpcFile Compile(string model, QaicOptions? options = null) => QpcFile.Open(Compiled(model, options ?? QaicOptions.Default, "out"));

    private string Compiled(string model, QaicOptions options, string folder) =>
        new EmbeddedCompiler().Compile(Repository.Model(model), Path.Combine(_directory.Path, folder), options, NullLogger.Instance, CancellationToken.None);
}
