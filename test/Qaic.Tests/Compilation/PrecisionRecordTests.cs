using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.Tests.Compilation;

/// <summary>What a QPC remembers of its quantization, as AIMET's encodings.</summary>
[TestClass]
public sealed class PrecisionRecordTests
{
    private static readonly QuantizedTensor s_activation = new("x", "x__1", "activation", [0.5f], [-128], 0, 127.5f);

    [TestMethod]
    public void Activations_have_one_pair_weights_one_per_channel_and_biases_none()
    {
        var record = new PrecisionRecord
        {
            Tensors = [s_activation, new("y", null, "activation", [0.25f], [0], -1, 1), new("w", null, "weight", [0.1f, 0.2f], [0, 0], -1, 1), new("b", null, "bias", [0.05f, 0.1f], [0, 0], -1, 1)],
        };

        QuantizationEncodings encodings = record.ToEncodings();

        CollectionAssert.AreEqual(
            new TensorEncoding[] { new("x", 8, false, [new(0.5f, -128)]), new("y", 8, true, [new(0.25f, 0)]) }, encodings.Activations.Values.ToArray());
        CollectionAssert.AreEqual(
            new TensorEncoding[] { new("b", 32, true, []), new("w", 8, true, [new(0.1f, 0), new(0.2f, 0)]) }, encodings.Parameters.Values.ToArray());
    }

    [TestMethod]
    public void A_record_of_an_older_version_has_empty_lists_for_what_it_does_not_know()
    {
        string path = Path.GetTempFileName();
        try
        {
            new Qaic.Qpc.QpcWriter().Add(CompilationRecord.SegmentName, """{"compiler": "embedded", "precision": {"precision": "INT8"}}"""u8.ToArray()).Write(path);
            using var qpc = Qaic.Qpc.QpcFile.Open(path);
            CompilationRecord record = CompilationRecord.Read(qpc)!;
            Assert.AreEqual(("embedded", "", 0, 0), (record.Compiler, record.CompilerVersion, record.Options.Count, record.BooleanTensors.Count));
            Assert.AreEqual(new PrecisionRecord { Precision = "INT8" }, record.Precision);
            Assert.IsEmpty(record.Precision!.RoundedNodes);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    public void A_weight_that_two_nodes_read_has_the_smaller_scale_of_each_channel()
    {
        var record = new PrecisionRecord
        {
            Tensors = [new("w", null, "weight", [0.1f, 0.4f], [0, 0], -1, 1), new("w", null, "weight", [0.3f, 0.2f], [0, 0], -1, 1)],
        };

        CollectionAssert.AreEqual(new QuantizationParameters[] { new(0.1f, 0), new(0.2f, 0) }, record.ToEncodings().Parameters["w"].Parameters.ToArray());
    }

    [TestMethod]
    public void A_weight_with_one_scale_here_and_several_there_has_one()
    {
        var record = new PrecisionRecord
        {
            Tensors = [new("w", null, "weight", [0.1f, 0.4f], [0, 0], -1, 1), new("w", null, "weight", [0.4f], [0], -1, 1)],
        };

        CollectionAssert.AreEqual(new QuantizationParameters[] { new(0.4f, 0) }, record.ToEncodings().Parameters["w"].Parameters.ToArray());
    }

    [TestMethod]
    public void Nothing_quantized_gives_no_encodings()
    {
        QuantizationEncodings encodings = new PrecisionRecord { Precision = "FP16", Fp16Nodes = ["y"] }.ToEncodings();
        Assert.IsTrue(encodings.Activations.IsEmpty && encodings.Parameters.IsEmpty);
    }

    [TestMethod]
    public void What_cannot_be_is_named()
    {
        Assert.Contains("'x' is of kind 'table'", Error(s_activation with { Kind = "table" }));
        Assert.Contains("'x' has 1 scales and 2 offsets", Error(s_activation with { Offsets = [0, 0] }));
        Assert.Contains("'x': its scale is NaN", Error(s_activation with { Scales = [float.NaN] }));
        Assert.Contains("'x': it is there twice", Error(s_activation, s_activation));
    }

    private static string Error(params QuantizedTensor[] tensors) =>
        Assert.ThrowsExactly<InvalidOperationException>(() => new PrecisionRecord { Tensors = tensors }.ToEncodings()).Message;
}
