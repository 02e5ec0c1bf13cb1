using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Tests.Compilation;
using Qaic.Qpc;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Engine;

[TestClass]
public sealed class DamageTests
{
    private static readonly Lazy<byte[]> s_qpc = new(() =>
    {
        using var bench = Bench.Of(Repository.Model("wine_mlp"));
        return File.ReadAllBytes(bench.QpcPath);
    });

    public static IEnumerable<object[]> VendorContainers => Directory.GetFiles(Repository.Data("qpc", "good"), "*.qpc").Order().Select(p => new object[] { Path.GetFileName(p) });

    [TestMethod, DynamicData(nameof(VendorContainers))]
    public void Containers_of_the_vendors_tools_are_refused(string file)
    {
        using var qpc = QpcFile.Open(Repository.Data("qpc", "good", file));
        Exception e = Assert.Throws<Exception>(() => new OnnxRuntimeEngine().Load(qpc, NullLogger.Instance));
        Assert.IsTrue(e is NotSupportedException or QpcFormatException, e.ToString());
    }

    [TestMethod]
    public void A_container_with_device_code_is_not_supported_and_says_what_to_do()
    {
        using var own = QpcFile.FromBytes(s_qpc.Value);
        byte[] metadata = MiniElf.Sections(own.Segments.Single(s => s.Name == "network.elf").Span.ToArray())["metadata"];
        byte[] elf = OnnxRuntime.Compilation.NetworkElf.Write([("metadata", metadata), (".text", new byte[64])]);
        using QpcFile vendor = Write(new QpcWriter().Add("network.elf", elf).Add("networkdesc.bin", own.ReadNetworkDescriptor().ToBytes()).Add("constantsdesc.bin", new byte[24]));
        NotSupportedException e = Assert.ThrowsExactly<NotSupportedException>(() => new OnnxRuntimeEngine().Load(vendor, NullLogger.Instance));
        StringAssert.Contains(e.Message, "made for a real card");
    }

    [TestMethod]
    [DataRow("network.elf")]
    [DataRow("networkdesc.bin")]
    [DataRow("constants.bin")]
    public void A_missing_segment_is_named(string missing)
    {
        using var own = QpcFile.FromBytes(s_qpc.Value);
        var writer = new QpcWriter();
        foreach (QpcSegment segment in own.Segments.Where(s => s.Name != missing))
        {
            writer.Add(segment.Name, segment.Span.ToArray(), segment.StaticLength);
        }

        using QpcFile qpc = Write(writer);
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(() => new OnnxRuntimeEngine().Load(qpc, NullLogger.Instance)).Message, missing);
    }

    [TestMethod]
    public void Every_changed_byte_of_model_or_weights_is_noticed()
    {
        byte[] bytes = [.. s_qpc.Value];
        using var own = QpcFile.FromBytes(bytes);
        QpcSegment elf = own.Segments.Single(s => s.Name == "network.elf");
        QpcSegment constants = own.Segments.Single(s => s.Name == "constants.bin");
        int model = (int)elf.FileOffset + elf.Span.IndexOf(MiniElf.Sections(elf.Span.ToArray())["onnx"]);
        int modelLength = MiniElf.Sections(elf.Span.ToArray())["onnx"].Length;
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            int at = i % 2 == 0 ? model + random.Next(modelLength) : (int)constants.FileOffset + random.Next((int)constants.Length);
            byte mask = (byte)random.Next(1, 256);
            bytes[at] ^= mask;
            using (var damaged = QpcFile.FromBytes(bytes))
            {
                StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(() => new OnnxRuntimeEngine().Load(damaged, NullLogger.Instance)).Message, "checksum");
            }

            bytes[at] ^= mask;
        }
    }

    [TestMethod]
    public void Any_changed_byte_is_harmless_or_refused()
    {
        byte[] bytes = [.. s_qpc.Value];
        long rest;
        using (var own = QpcFile.FromBytes(bytes))
        {
            // Behind the weights: constants' descriptor, ELF, network descriptor.
            rest = own.Segments.Single(s => s.Name == "constantsdesc.bin").FileOffset;
        }

        var random = new Random(2);
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            int at = i % 3 == 0 ? random.Next(bytes.Length) : (int)rest + random.Next(bytes.Length - (int)rest);
            byte mask = (byte)(1 << random.Next(8));
            bytes[at] ^= mask;
            try
            {
                using var damaged = QpcFile.FromBytes(bytes);
                new OnnxRuntimeEngine().Load(damaged, NullLogger.Instance).Dispose();
            }
            catch (Exception e) when (e is QpcFormatException or NotSupportedException)
            {
                refused++;
            }

            bytes[at] ^= mask;
        }

        Assert.IsGreaterThan(1000, refused);
    }

    [TestMethod]
    public void A_descriptor_of_another_network_is_refused()
    {
        using var own = QpcFile.FromBytes(s_qpc.Value);
        NetworkDescriptor network = own.ReadNetworkDescriptor();
        network.Outputs[0].Initial.Dims[1]++;
        var writer = new QpcWriter();
        foreach (QpcSegment segment in own.Segments)
        {
            writer.Add(segment.Name, segment.Name == "networkdesc.bin" ? network.ToBytes() : segment.Span.ToArray(), segment.StaticLength);
        }

        using QpcFile qpc = Write(writer);
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(() => new OnnxRuntimeEngine().Load(qpc, NullLogger.Instance)).Message, "disagree on the outputs");
    }

    [TestMethod]
    public void Damaged_model_files_compile_or_are_refused()
    {
        byte[] bytes = File.ReadAllBytes(Repository.Model("wine_mlp"));
        using var directory = new TemporaryDirectory();
        string path = Path.Combine(directory.Path, "model.onnx");
        var random = new Random(3);
        int refused = 0;
        for (int i = 0; i < 400; i++)
        {
            byte[] damaged = i % 4 == 0 ? bytes[..random.Next(bytes.Length)] : [.. bytes];
            if (i % 4 != 0)
            {
                damaged[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            }

            File.WriteAllBytes(path, damaged);
            try
            {
                new EmbeddedCompiler().Compile(path, directory.Path, QaicOptions.Default, NullLogger.Instance, CancellationToken.None);
            }
            catch (CompilationException e)
            {
                StringAssert.Contains(e.Message, path);
                refused++;
            }
        }

        Assert.IsGreaterThan(90, refused);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("This is not a model, it is a sentence.")]
    [DataRow("\n\u0003abc")]
    public void Files_that_are_no_models_are_refused(string content)
    {
        using var directory = new TemporaryDirectory();
        string path = Path.Combine(directory.Path, "model.onnx");
        File.WriteAllText(path, content);
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Bench.Of(path));
        StringAssert.Contains(e.Message, "is not an ONNX model");
    }

    private static QpcFile Write(QpcWriter writer)
    {
        using var directory = new TemporaryDirectory();
        string path = Path.Combine(directory.Path, "programqpc.bin");
        writer.Write(path);
        return QpcFile.FromBytes(File.ReadAllBytes(path));
    }
}
