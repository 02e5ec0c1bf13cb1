using System.Collections.Immutable;
using System.Text;
using Qaic.Options;

namespace Qaic.Tests.Options;

[TestClass]
public sealed class OptionYamlTests
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    [DataRow("")]
    [DataRow("# nothing but a remark\n")]
    [DataRow("---\n")]
    [DataRow("---\n...\n")]
    [DataRow("{}")]
    [DataRow("aic_num_cores:\nmos: null\nload_profile: ~\nconvert_to_fp16: None\n")]
    public void Nothing_said_is_the_defaults(string yaml) => Assert.AreEqual(QaicOptions.Default, QaicOptions.ParseYaml(yaml));

    [TestMethod]
    [DataRow("onnx_define_symbol:\n  batch: 1\n  seq: 128")]
    [DataRow("onnx_define_symbol: {batch: 1, seq: 128}")]
    [DataRow("onnx_define_symbol:\n- [batch, 1]\n- [seq, 128]")]
    [DataRow("onnx_define_symbol: [[batch, 1], ['seq', 128]]")]
    [DataRow("onnx_define_symbol: [(batch, 1), (seq, 128)]")]
    [DataRow("onnx_define_symbol: [('batch', 1), (\"seq\", 128)]")]
    [DataRow("onnx_define_symbol: \"[('batch', 1), ('seq', 128)]\"")]
    [DataRow("onnx_define_symbol:\n- batch: 1\n- seq: 128")]
    [DataRow("onnx_define_symbol:\n- batch,1\n- seq,128")]
    [DataRow("onnx-define-symbol: batch,1 seq,128")]
    [DataRow("onnx-define-symbol: 'batch, 1, seq, 128'")]
    [DataRow("ONNX-define-symbol: |\n  batch,1\n  seq,128\n")]
    public void Symbols_are_read_in_all_their_forms(string yaml) =>
        Assert.AreEqual(new QaicOptions { OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("batch", 1).Add("seq", 128) }, QaicOptions.ParseYaml(yaml));

    [TestMethod]
    public void A_symbol_may_be_an_expression() =>
        Assert.AreEqual(33, QaicOptions.ParseYaml("onnx_define_symbol: past_sequence_length + 1,33 max(a, b),8").OnnxDefineSymbol["past_sequence_length + 1"]);

    [TestMethod]
    [DataRow("true", true), DataRow("True", true), DataRow("\"True\"", true), DataRow("yes", true), DataRow("1", true)]
    [DataRow("false", false), DataRow("'False'", false), DataRow("off", false), DataRow("0", false)]
    public void Bools_are_read_in_all_their_forms(string text, bool expected) => Assert.AreEqual(expected, QaicOptions.ParseYaml($"use-producer-dma: {text}").UseProducerDma);

    [TestMethod]
    public void Lists_may_be_written_as_the_compiler_takes_them()
    {
        Assert.AreEqual(
            new QaicOptions { ExecuteNodesInFp16 = ["Add", "Div"], Mos = [1, 4], DeviceIds = [0, 2], OutputNodeNames = ["a,b"], CompilerArguments = ["-a=1", "-b"] },
            QaicOptions.ParseYaml("execute_nodes_in_fp16: Add, Div\nmos: 1,4\ndev_id: 0,2\noutput_node_names: a,b\ncompiler_args: -a=1 -b\n"));
    }

    [TestMethod]
    public void None_in_quotes_or_where_it_is_a_value_is_no_null()
    {
        Assert.AreEqual(QuantizationCalibration.None, QaicOptions.ParseYaml("quantization_calibration: None").QuantizationCalibration);
        Assert.IsNull(QaicOptions.ParseYaml("quantization_calibration: ~").QuantizationCalibration);
        Assert.AreEqual("None", QaicOptions.ParseYaml("output_dir: 'None'").OutputDirectory);
        Assert.AreEqual("null", QaicOptions.ParseYaml("output_dir: ! null").OutputDirectory);
        Assert.AreEqual("2.0", QaicOptions.ParseYaml("aic_hw_version: 2.0").HardwareVersion);
    }

    [TestMethod]
    [DataRow("aic_num_cors: 4", 1, 1, "no option 'aic_num_cors'", "'aic_num_cores'")]
    [DataRow("# x\naic-num-core: 4", 2, 1, "'aic-num-core'", "'aic-num-cores'")]
    [DataRow("\n  NumCores: 4", 2, 3, "'NumCores'", "'aic_num_cores'")]
    [DataRow("convert-fp16: true", 1, 1, "'convert-fp16'", "'convert-to-fp16'")]
    [DataRow("bananas: 4", 1, 1, "no option 'bananas'", "compiler_args")]
    [DataRow("model_path: x.onnx", 1, 1, "'model_path'", "argument of the session")]
    [DataRow("options_path: x.yaml", 1, 1, "'options_path'", "FromYaml")]
    [DataRow("compile-only: false", 1, 1, "'compile-only'", "only be true")]
    [DataRow("mos: 1\naic_num_cores: four", 2, 16, "'aic_num_cores' must be an integer (1 to 16)", "'four'")]
    [DataRow("aic_num_cores: 17", 1, 16, "must be 1 to 16", "not 17")]
    [DataRow("aic_num_cores: 4.0", 1, 16, "an integer", "'4.0'")]
    [DataRow("aic_num_cores: 010", 1, 16, "an integer", "'010'")]
    [DataRow("aic_num_cores: 99999999999", 1, 16, "an integer", "'99999999999'")]
    [DataRow("aic_num_cores: [4]", 1, 16, "an integer", "a list of 1")]
    [DataRow("aic_num_cores: {a: 4}", 1, 16, "an integer", "a mapping")]
    [DataRow("mos: [1, two]", 1, 10, "'mos' must be an integer", "'two'")]
    [DataRow("mos: [1,\n  17]", 1, 6, "must be 1 to 16", "not 17")]
    [DataRow("percentile_calibration_value: 89.9", 1, 31, "must be 90 to 100", "not 89.9")]
    [DataRow("percentile_calibration_value: .nan", 1, 31, "a number", "'.nan'")]
    [DataRow("percentile_calibration_value: 1e400", 1, 31, "a number", "'1e400'")]
    [DataRow("convert_to_fp16: perhaps", 1, 18, "true or false", "'perhaps'")]
    [DataRow("quantization_schema_activations: symetric", 1, 34, "one of asymmetric, symmetric, symmetric_with_uint8, symmetric_with_power2_scale", "'symetric'")]
    [DataRow("onnx_define_symbol:\n  batch: many", 2, 10, "an integer for the symbol 'batch'", "'many'")]
    [DataRow("onnx_define_symbol:\n  batch: 0", 2, 3, "must be 1 or more for 'batch'", "not 0")]
    [DataRow("onnx_define_symbol: [[batch, 1], [batch, 2]]", 1, 35, "'onnx_define_symbol' must have each symbol once, and 'batch' is there twice.", "")]
    [DataRow("onnx_define_symbol: batch", 1, 21, "text 'symbol,integer'", "'batch'")]
    [DataRow("onnx_define_symbol: [[batch]]", 1, 22, "a list of (symbol, integer)", "a list of 1")]
    [DataRow("model_inputs:\n- input_name: x\n  input_typ: float", 3, 3, "input_name, input_type and input_shape", "'input_typ'")]
    [DataRow("model_inputs: [{input_name: x}]", 1, 16, "must have input_name, input_type and input_shape", "'x' lacks input_type.")]
    [DataRow("model_inputs: [{input_type: float}]", 1, 16, "must have input_name, input_type and input_shape", "one lacks input_name.")]
    [DataRow("model_inputs: [x]", 1, 16, "must be a mapping with input_name, input_type and input_shape", "not 'x'")]
    [DataRow("mos: 1\nmos: 2", 2, 1, "'mos'", "twice")]
    [DataRow("aic_num_cores: 1\naic-num-cores: 2", 2, 1, "'aic-num-cores' is there already", "'aic_num_cores'")]
    [DataRow("allocator_dealloac_delay: 1\nallocator_dealloc_delay: 1", 2, 1, "'allocator_dealloc_delay' is there already", "'allocator_dealloac_delay'")]
    [DataRow("onnx_define_symbol:\n  a: 1\n  a: 2", 3, 3, "'a'", "twice")]
    [DataRow("output_dir: ''", 1, 13, "must not be empty", "output_dir")]
    [DataRow("output_dir: \"a\\0b\"", 1, 13, "control characters", "'a?b'")]
    [DataRow("- aic_num_cores", 1, 1, "mapping of keys to values", "aic_num_cores: 4")]
    [DataRow("4", 1, 1, "mapping of keys to values", "aic_num_cores: 4")]
    [DataRow("[a]: 4", 1, 1, "A key must be a text", "a list of 1")]
    [DataRow("mos: 1\n---\nmos: 2", 2, 1, "second document", "'---'")]
    [DataRow("mos: &a 1", 1, 6, "Anchors (&)", "not accepted")]
    [DataRow("mos: *a", 1, 6, "aliases (*)", "not accepted")]
    [DataRow("<<: {mos: 1}", 1, 1, "no option '<<'", "option")]
    [DataRow("mos: !!int 1", 1, 6, "tag", "int")]
    [DataRow("onnx_define_symbol:\n- !!python/tuple [batch, 1]", 2, 3, "tag", "[batch, 1]")]
    [DataRow("output_dir: !!python/object/apply:os.system ['ls']", 1, 13, "tag", "python/object/apply:os.system")]
    [DataRow("mos: [[[[[[[[[[[1]]]]]]]]]]]", 1, 14, "nested", "8")]
    [DataRow("mos: [1", 2, 1, "not YAML", "")]
    [DataRow("mos: 1\n\tols: 2", 1, 6, "not YAML", "")]
    [DataRow("mos: 'x", 1, 6, "not YAML", "")]
    [DataRow("%YAML 1.2\nmos: 1", 2, 4, "not YAML", "")]
    public void Bad_YAML_is_refused_with_place_and_advice(string yaml, int line, int column, string what, string more)
    {
        var e = Assert.ThrowsExactly<OptionException>(() => QaicOptions.ParseYaml(yaml, "my.yaml"));
        Assert.AreEqual((line, column, "my.yaml"), (e.Line, e.Column, e.SourceName), e.Message);
        Assert.StartsWith($"my.yaml({line},{column}): ", e.Message);
        StringAssert.Contains(e.Message, what);
        StringAssert.Contains(e.Message, more);
        Assert.IsLessThan(400, e.Message.Length);
    }

    [TestMethod]
    public void A_byte_order_mark_before_the_text_is_no_part_of_the_first_key() =>
        Assert.AreEqual(new QaicOptions { Mos = [1] }, QaicOptions.ParseYaml("\uFEFFmos: 1\n"));

    [TestMethod]
    public void A_billion_laughs_are_refused_at_the_first()
    {
        var yaml = new StringBuilder("a0: &a0 [x, x]\n");
        for (int i = 1; i < 40; i++)
        {
            yaml.Append(System.Globalization.CultureInfo.InvariantCulture, $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n");
        }

        StringAssert.Contains(Assert.ThrowsExactly<OptionException>(() => QaicOptions.ParseYaml(yaml.ToString())).Message, "(1,5): Anchors");
    }

    [TestMethod]
    [DataRow("["), DataRow("{a: "), DataRow("- "), DataRow("? ")]
    public void Nesting_without_end_is_refused_early(string opening) =>
        Assert.ThrowsExactly<OptionException>(() => QaicOptions.ParseYaml("mos: " + (opening is "- " or "? " ? "\n  " : "") + string.Concat(Enumerable.Repeat(opening, 100_000))));

    [TestMethod]
    public void A_long_text_is_refused_and_one_at_the_limit_is_not()
    {
        string limit = "mos: 1\n#" + new string('x', (1 << 20) - 8);
        Assert.AreEqual(new QaicOptions { Mos = [1] }, QaicOptions.ParseYaml(limit));
        StringAssert.Contains(Assert.ThrowsExactly<OptionException>(() => QaicOptions.ParseYaml(limit + "x")).Message, "longer than 1048576 characters");
        File.WriteAllText(Named("long.yaml"), limit + "x");
        StringAssert.Contains(Assert.ThrowsExactly<OptionException>(() => QaicOptions.FromYaml(Named("long.yaml"))).Message, "longer than 1048576 characters");
    }

    [TestMethod]
    public void Symbols_and_keys_of_any_length_take_no_time_to_refuse()
    {
        Assert.ThrowsExactly<OptionException>(() => QaicOptions.ParseYaml("onnx_define_symbol: '" + string.Concat(Enumerable.Repeat("a, ", 200_000)) + "'"));
        var e = Assert.ThrowsExactly<OptionException>(() => QaicOptions.ParseYaml("onnx_define_symbol: '" + string.Concat(Enumerable.Repeat("a,1 ", 100_000)) + "'"));
        StringAssert.Contains(e.Message, "each symbol once");
        Assert.IsLessThan(500, Assert.ThrowsExactly<OptionException>(() => QaicOptions.ParseYaml($"? {new string('k', 100_000)}\n: 1")).Message.Length);
        Assert.IsLessThan(500, Assert.ThrowsExactly<OptionException>(() => QaicOptions.ParseYaml($"mos: {new string('k', 100_000)}")).Message.Length);
    }

    [TestMethod]
    public void A_file_is_read_and_named_in_errors()
    {
        File.WriteAllText(Named("options.yaml"), "aic_num_cores: 4\nnum_activations: 1\nconvert_to_fp16: true\nonnx_define_symbol:\n  batch: 1\noutput_dir: './resnet_qpc'\n", new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        Assert.AreEqual(
            new QaicOptions { NumCores = 4, ConvertToFp16 = true, OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("batch", 1), OutputDirectory = "./resnet_qpc" }, QaicOptions.FromYaml(Named("options.yaml")));
        File.WriteAllText(Named("bad.yaml"), "mos: x");
        Assert.StartsWith($"{Named("bad.yaml")}(1,6): ", Assert.ThrowsExactly<OptionException>(() => QaicOptions.FromYaml(Named("bad.yaml"))).Message);
        File.WriteAllBytes(Named("binary.yaml"), [0x6d, 0xff, 0xfe, 0x80]);
        StringAssert.Contains(Assert.ThrowsExactly<OptionException>(() => QaicOptions.FromYaml(Named("binary.yaml"))).Message, "UTF-8");
        Assert.AreEqual(Named("none.yaml"), Assert.ThrowsExactly<FileNotFoundException>(() => QaicOptions.FromYaml(Named("none.yaml"))).FileName);
    }

    [TestMethod]
    public void Keywords_go_over_YAML_and_YAML_over_what_was_there()
    {
        QaicOptions there = new() { NumCores = 1, SetSize = 2, Ols = 4 };
        QaicOptions yaml = QaicOptions.ParseYaml("aic_num_cores: 2\nset_size: 8\nenable_metrics: true", start: there);
        QaicOptions keywords = QaicOptions.FromKeywords([new("aic_num_cores", 3), new("enable_metrics", false), new("enable_profiling", true)], yaml);
        Assert.AreEqual(new QaicOptions { NumCores = 3, SetSize = 8, Ols = 4, EnableProfiling = true }, keywords);
        keywords.Validate();
        Assert.AreEqual(new QaicOptions { NumCores = 1, SetSize = 2, Ols = 4 }, there);
    }

    [TestMethod]
    [DataRow("true"), DataRow("None"), DataRow("null"), DataRow("~"), DataRow("1.5"), DataRow("0x10"), DataRow("..."), DataRow("-"), DataRow("--- x"), DataRow("a: b"), DataRow("a #b"), DataRow("#a"), DataRow("*a"), DataRow("&a"), DataRow("!a"), DataRow("[a")]
    [DataRow("a, b"), DataRow("\"quoted\""), DataRow("it's"), DataRow("C:\\temp\\new"), DataRow("ä ö ü 日本 \U0001F600"), DataRow(" leading"), DataRow("trailing "), DataRow("@a"), DataRow("%a"), DataRow("`a"), DataRow("a:"), DataRow("?"), DataRow("\u2028\ufeff\u00a0x"), DataRow("{a}"), DataRow("1e3"), DataRow(".e1"), DataRow("2026-01-01"), DataRow("12:30")]
    public void Any_text_survives_YAML(string text)
    {
        QaicOptions options = new()
        {
            OutputDirectory = text,
            OutputNodeNames = [text, "x"],
            OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add(text, 3),
            Specializations = [ImmutableDictionary<string, int>.Empty.Add(text, 4)],
        };
        options.Validate();
        Assert.AreEqual(options, QaicOptions.ParseYaml(options.ToYaml()), options.ToYaml());
        Assert.AreEqual(options, QaicOptions.FromKeywords(options.ToKeywords()!));
    }

    private string Named(string name) => Path.Combine(_directory.FullName, name);
}
