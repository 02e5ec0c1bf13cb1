using System.Text.Json;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Qpc;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests;

[TestClass]
public sealed class ExtractTests : ToolTest
{
    public static IEnumerable<object[]> GoodContainers => Directory.GetFiles(Repository.Data("qpc", "good"), "*.qpc").Select(f => new object[] { Path.GetFileName(f) });

    [TestMethod]
    [DynamicData(nameof(GoodContainers))]
    public void Files_are_the_segments_byte_for_byte(string name)
    {
        string path = Repository.Data("qpc", "good", name);
        using var qpc = QpcFile.Open(path);

        (int code, _, string error) = Run("extract", path, "-o", At("out"));

        if (code != QaicTool.Success)
        {
            StringAssert.Contains(error, "Two segments");
            return;
        }

        foreach (QpcSegment segment in qpc.Segments)
        {
            CollectionAssert.AreEqual(segment.Span.ToArray(), File.ReadAllBytes(At("out", Data.OutputFiles.Safe(segment.Name))), segment.Name);
        }
    }

    [TestMethod]
    public void Overwrites_nothing_unless_it_is_forced()
    {
        Ok("compile", Cnn, "--backend", "sim", "-o", At("qpc"));
        Ok("extract", At("qpc"), "-o", At("out"), "--segment", "networkdesc.bin");
        Assert.HasCount(1, Directory.GetFiles(At("out")));
        Written(Path.Combine("out", "networkdesc.bin"), "mine");

        (int code, _, string error) = Run("extract", At("qpc"), "-o", At("out"));

        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Contains(error, "--force");
        Assert.AreEqual("mine", File.ReadAllText(At("out", "networkdesc.bin")));
        Assert.HasCount(1, Directory.GetFiles(At("out")), "nothing is written beside it either");

        Ok("extract", At("qpc"), "-o", At("out"), "--force");
        Assert.AreEqual("digits_cnn", NetworkDescriptor.Parse(File.ReadAllBytes(At("out", "networkdesc.bin"))).NetworkName);
    }

    [TestMethod]
    public void The_embedded_model_computes_what_the_network_computes()
    {
        Ok("compile", Cnn, "--backend", "sim", "--convert-to-fp16", "-o", At("qpc"));

        Ok("extract", At("qpc"), "--model", "-o", At("out"));

        Ok("run", At("qpc"), "--backend", "sim", "--input", DigitRows, "-o", At("a"), "--output-format", "npy");
        Ok("run", At("out", "model.onnx"), "--backend", "sim", "--input", DigitRows, "-o", At("b"), "--output-format", "npy");
        CollectionAssert.AreEqual(File.ReadAllBytes(At("a", "logits.npy")), File.ReadAllBytes(At("b", "logits.npy")));
    }

    [TestMethod]
    public void The_descriptor_is_printed_as_text_and_as_JSON()
    {
        string path = Repository.Data("qpc", "good", "quant.qpc");

        string text = Ok("extract", path, "--descriptor", "text");
        using var json = JsonDocument.Parse(Ok("extract", path, "--descriptor", "json"));

        StringAssert.Contains(text, "networkName: quant\n");
        StringAssert.Contains(text, "dims: [1, 2, 2, 3]\n");
        Assert.AreEqual("quant", json.RootElement.GetProperty("networkName").GetString());
    }

    [TestMethod]
    public void A_segment_or_a_model_that_is_not_there_is_named()
    {
        string path = Repository.Data("qpc", "good", "quant.qpc");

        (int code, _, string error) = Run("extract", path, "--segment", "networkdesc.bim", "-o", At("out"));
        (int noModel, _, string reason) = Run("extract", path, "--model", "-o", At("out"));

        Assert.AreEqual(QaicTool.WrongUsage, code);
        StringAssert.Contains(error, "Did you mean 'networkdesc.bin'?");
        Assert.AreEqual(QaicTool.Failure, noModel);
        Assert.AreNotEqual("", reason);
        Assert.IsTrue(!Directory.Exists(At("out")) || Directory.GetFiles(At("out")).Length == 0);
    }
}
