using System.Text;
using Qaic.Quantization;
using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Tests.Quantization;

/// <summary>AIMET's encodings, read and written.</summary>
[TestClass]
public sealed class EncodingsTests
{
    internal const string Json = """
        {
          "version": "0.6.1", "quantizer_args": {"per_channel_quantization": true},
          "activation_encodings": {
            "input": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "False", "max": 1.5, "min": -1.0, "offset": -102, "scale": 0.00980392156862745}],
            "/relu": [{"bitwidth": 8, "is_symmetric": false, "offset": 0.0, "scale": 0.5, "more": [1]}],
            "logits": [{"bitwidth": 16, "dtype": "float"}]
          },
          "param_encodings": {
            "conv.weight": [{"bitwidth": 8, "is_symmetric": "True", "offset": -128, "scale": 0.25}, {"bitwidth": 8, "is_symmetric": "true", "offset": -128, "scale": 1e-3}],
            "conv.bias": [{"bitwidth": 32, "dtype": "int", "is_symmetric": "True", "offset": -2147483648, "scale": 1e-9}],
            "small": [{"bitwidth": 4, "is_symmetric": true, "offset": -8, "scale": 0.125}],
            "wide": [{"bitwidth": 16, "is_symmetric": false, "offset": -32768, "scale": 0.125}]
          }
        }
        """;

    internal const string Yaml = """
        # as converted by others
        activation_encodings:
          input:
          - {bitwidth: 8, dtype: int, is_symmetric: 'False', max: 1.5, min: -1.0, offset: -102, scale: 0.00980392156862745}
          "/relu":
            - bitwidth: 8
              is_symmetric: False
              offset: 0
              scale: 0.5
          logits: [{bitwidth: 16, dtype: float}]
        param_encodings:
          conv.weight:
          - {bitwidth: 8, is_symmetric: 'True', offset: -128, scale: 0.25}
          - {bitwidth: 8, is_symmetric: true, offset: -128, scale: 0.001}
          conv.bias: [{bitwidth: 32, is_symmetric: True}]
          small: [{bitwidth: 4, is_symmetric: true, offset: -8, scale: 0.125}]
          wide: [{bitwidth: 16, is_symmetric: false, offset: -32768, scale: 0.125}]
        """;

    internal const string Listed = """
        {"version": "1.0.0", "producer": "x",
         "activation_encodings": [
          {"name": "input", "bw": 8, "dtype": "INT", "enc_type": "PER_TENSOR", "is_sym": false, "offset": [-102], "scale": [0.00980392156862745]},
          {"name": "/relu", "bw": 8, "dtype": "INT", "enc_type": "PER_TENSOR", "is_sym": false, "offset": [0.0], "scale": [0.5]},
          {"name": "logits", "bw": 16, "dtype": "FLOAT"}],
         "param_encodings": [
          {"name": "conv.weight", "bw": 8, "dtype": "INT", "enc_type": "PER_CHANNEL", "is_sym": true, "offset": [-128, -128], "scale": [0.25, 0.001]},
          {"name": "conv.bias", "bw": 32, "dtype": "INT", "is_sym": true, "enc_type": "PER_CHANNEL", "offset": [0], "scale": [1]},
          {"name": "small", "bw": 4, "dtype": "INT", "is_sym": true, "offset": -8, "scale": 0.125},
          {"name": "wide", "bw": 16, "dtype": "INT", "is_sym": false, "offset": [-32768], "scale": [0.125]}]}
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    public void JSON_has_a_line_for_each_entry_and_reads_back_whatever_the_names()
    {
        string path = Path.Combine(Path.GetTempPath(), $"qaic-test-{Guid.NewGuid():n}.json");
        try
        {
            QuantizationEncodings encodings = new(
                [new("a\"b\\\n\u00e9", 8, false, [new(0.5f, -26)]), new("f", 16, false, []) { IsFloat = true }],
                [new("w", 8, true, [new(0.25f, 0), new(1e-5f, 0)])]);
            encodings.Save(path);
            string[] lines = File.ReadAllLines(path);
            Assert.HasCount(12, lines);
            Assert.HasCount(4, lines.Where(l => l.Contains("\"bitwidth\"", StringComparison.Ordinal)));
            var read = QuantizationEncodings.Load(path);
            CollectionAssert.AreEqual(encodings.Activations.Values.ToArray(), read.Activations.Values.ToArray());
            CollectionAssert.AreEqual(encodings.Parameters.Values.ToArray(), read.Parameters.Values.ToArray());
            using var strict = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(path));
            Assert.AreEqual("0.6.1", strict.RootElement.GetProperty("version").GetString());
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    [DataRow(Json, "e.json")]
    [DataRow(Json, "e.encodings")]
    [DataRow(Json, "e.yaml")]
    [DataRow(Yaml, "e.yml")]
    [DataRow(Yaml, "e.encodings")]
    [DataRow(Listed, "e.json")]
    public void All_forms_say_the_same(string text, string name)
    {
        QuantizationEncodings encodings = Read(text, name);
        Assert.AreEqual("/relu input logits; conv.bias conv.weight small wide", $"{string.Join(' ', encodings.Activations.Keys)}; {string.Join(' ', encodings.Parameters.Keys)}");
        Assert.AreEqual(new TensorEncoding("input", 8, false, [new(0.00980392156862745f, -26)]), encodings.Activations["input"]);
        Assert.AreEqual(new TensorEncoding("/relu", 8, false, [new(0.5f, -128)]), encodings.Activations["/relu"]);
        Assert.AreEqual(new TensorEncoding("logits", 16, false, []) { IsFloat = true }, encodings.Activations["logits"]);
        Assert.AreEqual(new TensorEncoding("conv.weight", 8, true, [new(0.25f, 0), new(0.001f, 0)]), encodings.Parameters["conv.weight"]);
        Assert.AreEqual(new TensorEncoding("conv.bias", 32, true, []), encodings.Parameters["conv.bias"]);
        Assert.AreEqual(new TensorEncoding("small", 4, true, [new(0.125f, 0)]), encodings.Parameters["small"]);
        Assert.AreEqual(new TensorEncoding("wide", 16, false, [new(0.125f, 0)]), encodings.Parameters["wide"]);
        Assert.AreEqual((false, false, true), (encodings.Activations["logits"].IsQuantized, encodings.Parameters["conv.bias"].IsQuantized, encodings.Parameters["wide"].IsQuantized));
    }

    [TestMethod]
    public void The_numbers_stand_for_the_same_as_in_the_file()
    {
        QuantizationParameters p = Read(Json).Activations["input"].Parameters[0];
        Assert.AreEqual((-102 * 0.00980392156862745f, 153 * 0.00980392156862745f), (p.Minimum, p.Maximum));
    }

    [TestMethod]
    [DataRow("\"min\": -1.0, \"max\": 1.5", 2.5 / 255, -26)]
    [DataRow("\"min\": 1.0, \"max\": 2.55", 0.01, -128)]
    [DataRow("\"min\": -2.55, \"max\": -1", 0.01, 127)]
    [DataRow("\"min\": -1, \"max\": 1, \"scale\": 0.01", 0.01, -28)]
    [DataRow("\"min\": -1, \"max\": 1.55, \"offset\": -90", 0.01, -38)]
    public void What_is_missing_follows_from_the_range(string fields, double scale, int offset) =>
        Assert.AreEqual(
            new QuantizationParameters((float)scale, offset),
            Read($$$"""{"activation_encodings": {"x": [{"bitwidth": 8, {{{fields}}} }]}}""").Activations["x"].Parameters[0]);

    [TestMethod]
    [DataRow("e.json")]
    [DataRow("e.yaml")]
    public void Writing_and_reading_gives_back_all_of_it_exactly(string name)
    {
        var random = new Random(3);
        TensorEncoding[] activations =
        [
            .. Enumerable.Range(0, 60).Select(i => new TensorEncoding($"t {i}: \"é\" '{(char)(33 + i)}' \\ # {(i % 7 == 0 ? "\n\t😀" : "")}", 8, i % 2 == 0, [.. Enumerable.Range(0, 1 + (i % 3)).Select(_ => Any(random, 8))])),
            new("1104", 16, false, [Any(random, 16)]), new("true", 4, true, [Any(random, 4)]), new("f", 16, false, []) { IsFloat = true }, new("b", 32, true, []), new(new string('n', 5000), 8, false, [Any(random, 8)]),
        ];
        QuantizationEncodings written = new(activations, [new("w", 8, true, [new(float.Epsilon, -128), new(float.MaxValue, 127), new(1e-5f, 0)])]);
        string path = Path.Combine(_directory.FullName, "below", name);
        written.Save(path);
        byte[] once = File.ReadAllBytes(path);
        QuantizationEncodings read = QuantizationEncodings.Load(path);
        CollectionAssert.AreEqual(written.Activations.Values.ToArray(), read.Activations.Values.ToArray());
        CollectionAssert.AreEqual(written.Parameters.Values.ToArray(), read.Parameters.Values.ToArray());
        read.Save(path);
        CollectionAssert.AreEqual(once, File.ReadAllBytes(path));
        Assert.HasCount(1, Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    [TestMethod]
    public void The_written_form_is_AIMETs()
    {
        string path = Path.Combine(_directory.FullName, "e.json");
        new QuantizationEncodings([new("x", 8, false, [new(0.5f, -26)])], []).Save(path);
        Assert.AreEqual(
            """{"version":"0.6.1","activation_encodings":{"x":[{"bitwidth":8,"dtype":"int","is_symmetric":"False","max":76.5,"min":-51,"offset":-102,"scale":0.5}]},"param_encodings":{}}""",
            File.ReadAllText(path).Replace("\n", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal));
        path = Path.ChangeExtension(path, ".yaml");
        new QuantizationEncodings([new("x", 8, true, [new(1e-5f, 0)])], []).Save(path);
        Assert.StartsWith("version: '0.6.1'\nactivation_encodings:\n  'x':\n  - bitwidth: 8\n    dtype: 'int'\n    is_symmetric: 'True'\n", File.ReadAllText(path));
        Assert.Contains("    scale: 1.0E-05\n", File.ReadAllText(path));
    }

    [TestMethod]
    [DataRow("", 1, "empty")]
    [DataRow("[]", 1, "a list")]
    [DataRow("{}", 1, "has neither")]
    [DataRow("{\"activation_encoding\": {}}", 1, "'activation_encoding'")]
    [DataRow("{\"version\": \"2.0.0\", \"activation_encodings\": {}}", 1, "version '2.0.0'")]
    [DataRow("{\"version\": [], \"activation_encodings\": {}}", 1, "version is a list")]
    [DataRow("{\"activation_encodings\": 1}", 1, "must be a mapping")]
    [DataRow("{\"activation_encodings\": {\n\"x\": []}}", 2, "'x' in activation_encodings is an empty list")]
    [DataRow("{\"activation_encodings\": {\n\"x\": 3}}", 2, "'3'")]
    [DataRow("{\"activation_encodings\": {\n\"conv1\": {\"input\": {\"0\": {}}}}}", 2, "the file for ONNX")]
    [DataRow("{\"activation_encodings\": {\"x\": [\n{\"offset\": 0, \"scale\": 1}]}}", 2, "'x' has no bitwidth")]
    [DataRow("{\"activation_encodings\": {\"x\": [\n{\"bitwidth\": 8, \"offset\": 0}]}}", 2, "'x' has no scale")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8,\n \"offset\": \"a\", \"scale\": 1}]}}", 2, "offset 'a'; it must be a finite number")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"offset\": 0, \"scale\": \"NaN\"}]}}", 1, "scale 'NaN'")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"offset\": 0, \"scale\": 0}]}}", 1, "scale 0; it must be above 0")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"offset\": 0, \"scale\": 1e39}]}}", 1, "scale 1E+39")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"offset\": 0, \"scale\": 1e-60}]}}", 1, "scale 1E-60")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"offset\": 128, \"scale\": 1}]}}", 1, "offset 128")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"offset\": -256, \"scale\": 1}]}}", 1, "offset -256")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"offset\": -1.5, \"scale\": 1}]}}", 1, "whole number")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"min\": 2, \"max\": 1}]}}", 1, "min cannot be above max")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"min\": 0, \"max\": 0}]}}", 1, "min 0 and max 0, a range without width")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 24, \"offset\": 0, \"scale\": 1}]}}", 1, "bitwidth 24")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8.5, \"offset\": 0, \"scale\": 1}]}}", 1, "bitwidth 8.5")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"dtype\": \"bool\", \"offset\": 0, \"scale\": 1}]}}", 1, "dtype 'bool'")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"is_symmetric\": \"maybe\", \"offset\": 0, \"scale\": 1}]}}", 1, "is_symmetric 'maybe'")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"offset\": 0, \"scale\": 1},\n{\"bitwidth\": 16, \"offset\": 0, \"scale\": 1}]}}", 2, "channels of 'x' differ")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 32}],\n\"x\": [{\"bitwidth\": 32}]}}", 2, "'x' is there twice; line 1")]
    [DataRow("{\"activation_encodings\": [{\"name\": \"x\", \"bw\": 32},\n{\"name\": \"x\", \"bw\": 32}]}", 2, "'x' is there twice")]
    [DataRow("{\"activation_encodings\": [{\"bw\": 32}]}", 1, "has no name")]
    [DataRow("{\"activation_encodings\": [{\"name\": \"x\", \"bw\": 8, \"enc_type\": \"LPBQ\", \"scale\": [1], \"offset\": [0]}]}", 1, "enc_type LPBQ")]
    [DataRow("{\"activation_encodings\": [{\"name\": \"x\", \"bw\": 8, \"scale\": [1], \"offset\": [0, 0]}]}", 1, "1 scales and 2 offsets")]
    [DataRow("{\"activation_encodings\": {\"x\": [{\"bitwidth\": NaN}]}}", 1, "no JSON")]
    [DataRow("{\"activation_encodings\": {\n\"x\": [", 2, "cut off")]
    [DataRow("{\"a\": [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}", 1, "no JSON")]
    [DataRow("{} {}", 1, "no JSON")]
    public void What_cannot_be_is_refused_with_line_tensor_and_field(string text, int line, string expected)
    {
        QuantizationFormatException e = Assert.ThrowsExactly<QuantizationFormatException>(() => Read(text));
        Assert.Contains(expected, e.Message);
        Assert.AreEqual(line, e.Line, e.Message);
    }

    [TestMethod]
    [DataRow("a: &x {}\nb: *x", "Anchors")]
    [DataRow("a: !t 1", "Anchors")]
    [DataRow("a: 1\n---\nb: 1", "second document")]
    [DataRow("a: [", "no YAML")]
    [DataRow("a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", "deeper")]
    [DataRow("[a]: 1", "must be a text")]
    [DataRow("? [a]\n: 1", "must be a text")]
    public void Unusual_YAML_is_refused(string text, string expected) => Assert.Contains(expected, Assert.ThrowsExactly<QuantizationFormatException>(() => Read(text, "e.yaml")).Message);

    [TestMethod]
    public void Encodings_in_code_are_checked_as_well()
    {
        TensorEncoding good = new("x", 8, true, [new(1, 0)]);
        Assert.Contains("'x': it is there twice", Assert.ThrowsExactly<ArgumentException>(() => new QuantizationEncodings([good, good with { Bitwidth = 16 }], [])).Message);
        Assert.Contains("no scale", Assert.ThrowsExactly<ArgumentException>(() => new QuantizationEncodings([], [good with { Parameters = [] }])).Message);
        Assert.Contains("offset is 128", Assert.ThrowsExactly<ArgumentException>(() => new QuantizationEncodings([], [good with { Parameters = [new(1, 128)] }])).Message);
        Assert.Contains("24 bits", Assert.ThrowsExactly<ArgumentException>(() => new QuantizationEncodings([], [good with { Bitwidth = 24 }])).Message);
    }

    private QuantizationEncodings Read(string text, string name = "e.json")
    {
        string path = Path.Combine(_directory.FullName, name);
        File.WriteAllText(path, text);
        return QuantizationEncodings.Load(path);
    }

    private static QuantizationParameters Any(Random random, int bits)
    {
        int half = 1 << (bits - 1);
        return new(BitConverter.Int32BitsToSingle(random.Next(1, 0x7f800000)), random.Next(-half, half));
    }
}
