using System.Text;
using Qaic.Quantization;
using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Tests.Quantization;

[TestClass]
public sealed class NodePrecisionTests
{
    [TestMethod]
    public void A_file_in_which_no_key_is_known_is_refused() =>
        Assert.Contains("n.yaml(1): No key is known: 'fp16_nodes'", Assert.ThrowsExactly<QuantizationFormatException>(() => NodePrecision.Parse("fp16_nodes: [a, b]", "n.yaml")).Message);

    [TestMethod]
    [DataRow("FP16NodeInstanceNames: [Softmax_660,Transpose_661]", "Softmax_660 Transpose_661", "", false)]
    [DataRow("FP16NodeInstanceNames: [scores_1, 1421]\nenableFP32Bias: false\n", "scores_1 1421", "", false)]
    [DataRow("FP16NodeInstanceNames:\n  - /Gather_output_0\n  - \"1104\"\r\nFP32NodeInstanceNames: ['x y']\nenableFP32Bias: True", "/Gather_output_0 1104", "x y", true)]
    [DataRow("FP32NodeInstanceNames:\n- a\n- a\nFP16NodeInstanceNames:\n", "", "a", false)]
    [DataRow("{\"FP16NodeInstanceNames\": [\"a\"], \"enableFP32Bias\": \"true\"}", "a", "", true)]
    [DataRow("\ufeff# none\n{}", "", "", false)]
    public void The_vendors_file_is_read_in_all_its_forms(string text, string fp16, string fp32, bool bias)
    {
        NodePrecision read = Load(Encoding.UTF8.GetBytes(text));
        Assert.AreEqual((fp16, fp32, bias), (string.Join(' ', read.Fp16Nodes), string.Join(' ', read.Fp32Nodes), read.EnableFp32Bias));
    }

    [TestMethod]
    public void Other_keys_are_passed_over_and_told() =>
        Assert.AreEqual("Comment Version", string.Join(' ', NodePrecision.Parse("Comment: {a: [1]}\nFP16NodeInstanceNames: [a]\nVersion: 3").UnknownKeys));

    [TestMethod]
    [DataRow("", 1, "empty")]
    [DataRow("- a", 1, "made of keys")]
    [DataRow("FP16NodeInstanceName: [a]", 1, "Did you mean 'FP16NodeInstanceNames'?")]
    [DataRow("\nfp16nodeinstancenames: [a]", 2, "Did you mean 'FP16NodeInstanceNames'?")]
    [DataRow("enableFp32Bias: true", 1, "Did you mean 'enableFP32Bias'?")]
    [DataRow("FP16NodeInstanceNames: a", 1, "must be a list")]
    [DataRow("FP16NodeInstanceNames:\n  a: 1", 2, "must be a list")]
    [DataRow("FP16NodeInstanceNames: [a,\n [b]]", 2, "a list where the name of a node")]
    [DataRow("FP16NodeInstanceNames: [a,\n '']", 2, "the name of a node")]
    [DataRow("enableFP32Bias: perhaps", 1, "true or false")]
    [DataRow("FP16NodeInstanceNames: [a, b]\nFP32NodeInstanceNames: [b]", 2, "'b' is in FP16NodeInstanceNames (line 1)")]
    [DataRow("FP16NodeInstanceNames: [a]\nFP16NodeInstanceNames: [b]", 2, "twice")]
    [DataRow("FP16NodeInstanceNames: [a", 2, "no YAML")]
    public void What_cannot_be_is_refused_with_its_line(string text, int line, string expected)
    {
        QuantizationFormatException e = Assert.ThrowsExactly<QuantizationFormatException>(() => NodePrecision.Parse(text, "n.yaml"));
        Assert.Contains(expected, e.Message);
        Assert.AreEqual(("n.yaml", line), (e.Path, e.Line), e.Message);
    }

    [TestMethod]
    public void The_written_form_is_the_vendors()
    {
        Assert.AreEqual("FP16NodeInstanceNames: [Softmax_660, /Gather_output_0, \"1421\", \"a, b\", \"yes\"]\n", new NodePrecision(["Softmax_660", "/Gather_output_0", "1421", "a, b", "yes"], []).ToYaml());
        Assert.AreEqual("FP16NodeInstanceNames: []\nFP32NodeInstanceNames: [a]\nenableFP32Bias: true\n", new NodePrecision([], ["a"], true).ToYaml());
        Assert.Contains("'a' is in", Assert.ThrowsExactly<InvalidOperationException>(() => new NodePrecision(["a"], ["a"]).ToYaml()).Message);
        Assert.Contains("no name", Assert.ThrowsExactly<InvalidOperationException>(() => new NodePrecision([""], []).ToYaml()).Message);
    }

    [TestMethod]
    public void Writing_and_reading_gives_back_all_of_it()
    {
        string path = Path.GetTempFileName();
        NodePrecision written = new([.. "a|1.5|null|- x|: y|#z|é|a'b|a\"b|\\n|[q]|tab\t|new\nline|😀| blank ".Split('|')], ["~", "0x1F", "=", "<<"], true);
        try
        {
            written.Save(path);
            NodePrecision read = NodePrecision.Load(path);
            Assert.AreEqual(written, read);
            Assert.AreNotEqual(written, read with { EnableFp32Bias = false });
            Assert.AreNotEqual(written, read with { Fp16Nodes = ["a"] });
            Assert.AreEqual(written.GetHashCode(), read.GetHashCode());
            Assert.AreEqual(NodePrecision.None, new NodePrecision(default, default));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static NodePrecision Load(byte[] bytes)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, bytes);
            return NodePrecision.Load(path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
