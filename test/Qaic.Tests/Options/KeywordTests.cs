using System.Collections;
using System.Collections.Immutable;
using Qaic.Options;

namespace Qaic.Tests.Options;

[TestClass]
public sealed class KeywordTests
{
    public static IEnumerable<object[]> Symbols =>
    [
        [new Dictionary<string, int> { ["batch"] = 1, ["seq"] = 128 }],
        [new Dictionary<string, object> { ["batch"] = 1L, ["seq"] = "128" }],
        [new Hashtable { ["batch"] = 1, ["seq"] = (short)128 }],
        [new[] { ("batch", 1), ("seq", 128) }],
        [new List<Tuple<string, int>> { new("batch", 1), new("seq", 128) }],
        [new object[] { new object[] { "batch", 1 }, ("seq", 128) }],
        [new[] { "batch,1", "seq,128" }],
        [new[] { KeyValuePair.Create("batch", 1), KeyValuePair.Create("seq", 128) }],
        [ImmutableDictionary<string, int>.Empty.Add("batch", 1).Add("seq", 128)],
        ["batch,1 seq,128"],
    ];

    [TestMethod]
    [DynamicData(nameof(Symbols))]
    public void Symbols_are_taken_in_all_their_forms(object value) =>
        Assert.AreEqual(new QaicOptions { OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("batch", 1).Add("seq", 128) }, One("onnx_define_symbol", value));

    [TestMethod]
    public void Numbers_of_any_width_are_taken_and_others_refused_with_what_they_are()
    {
        foreach (object four in new object[] { 4, 4L, (byte)4, (sbyte)4, (short)4, (ushort)4, 4u, 4ul, "4", "+4" })
        {
            Assert.AreEqual(4, One("aic_num_cores", four).NumCores, four.GetType().Name);
        }

        foreach (object wrong in new object[] { 4.0, 4m, true, long.MaxValue, ulong.MaxValue, "4 ", "", "٤", 'x', Guid.Empty, new object() })
        {
            Assert.Contains("'aic_num_cores' must be ", Assert.ThrowsExactly<OptionException>(() => One("aic_num_cores", wrong)).Message, wrong.GetType().Name);
        }

        Assert.AreEqual(0.75m, One("vtcm_working_set_limit_ratio", 0.75f).VtcmWorkingSetLimitRatio);
        Assert.AreEqual(1m, One("vtcm_working_set_limit_ratio", 1).VtcmWorkingSetLimitRatio);
        foreach (object wrong in new object[] { double.NaN, double.PositiveInfinity, float.MaxValue, "1,0", true })
        {
            Assert.ThrowsExactly<OptionException>(() => One("vtcm_working_set_limit_ratio", wrong));
        }
    }

    [TestMethod]
    public void Values_of_enumerations_are_taken_as_themselves_and_as_text_in_any_case()
    {
        Assert.AreEqual(QuantizationCalibration.KLMinimizationV2, One("quantization_calibration", QuantizationCalibration.KLMinimizationV2).QuantizationCalibration);
        Assert.AreEqual(QuantizationCalibration.Mse, One("quantization_calibration", "mse").QuantizationCalibration);
        Assert.AreEqual(QuantizationCalibration.None, One("quantization_calibration", "None").QuantizationCalibration);
        Assert.IsNull(One("quantization_calibration", null).QuantizationCalibration);
        Assert.AreEqual(QaicBackend.Aic, One("backend", "qaic").Backend);
        Assert.ThrowsExactly<OptionException>(() => One("quantization_calibration", QaicBackend.Auto));
        Assert.ThrowsExactly<OptionException>(() => One("quantization_calibration", (QuantizationCalibration)77));
    }

    [TestMethod]
    public void Sequences_of_any_kind_are_lists_and_one_value_is_a_list_of_one()
    {
        Assert.AreEqual(new QaicOptions { Mos = [1, 4] }, One("mos", new List<int> { 1, 4 }));
        Assert.AreEqual(new QaicOptions { Mos = [1, 4] }, One("mos", (1, 4)));
        Assert.AreEqual(new QaicOptions { Mos = [4] }, One("mos", 4));
        Assert.AreEqual(new QaicOptions { DeviceIds = [2, 3] }, One("dev_id", new[] { 2, 3 }));
        Assert.AreEqual(new QaicOptions { OutputNodeNames = ["x"] }, One("output_node_names", "x"));
        Assert.AreEqual(new QaicOptions { ModelInputs = [new ModelInput("x", "float", [1, 3])] }, One("model_inputs", new ModelInput("x", "float", [1, 3])));
        Assert.AreEqual(QaicOptions.Default, One("mos", Array.Empty<int>()));
        Assert.ThrowsExactly<OptionException>(() => One("dev_id", Array.Empty<int>()));
        Assert.ThrowsExactly<OptionException>(() => One("dev_id", new[] { 1, 1 }));
    }

    [TestMethod]
    [DataRow(0.1f, "0.1"), DataRow(0.7f, "0.7"), DataRow(1f, "1"), DataRow(0.1, "0.1")]
    public void A_number_in_binary_is_the_shortest_decimal_that_it_stands_for(object value, string expected) =>
        Assert.AreEqual($"-vtcm-working-set-limit-ratio={expected}", OptionTable.CompilerArguments(One("vtcm_working_set_limit_ratio", value)).Single().Text);

    [TestMethod]
    public void A_list_that_contains_itself_is_refused()
    {
        var list = new List<object>();
        list.Add(list);
        StringAssert.Contains(Assert.ThrowsExactly<OptionException>(() => One("mos", list)).Message, "nested at most 8 deep");
    }

    [TestMethod]
    public void An_option_is_given_once_under_one_name()
    {
        StringAssert.Contains(Assert.ThrowsExactly<OptionException>(() => QaicOptions.FromKeywords([new("mos", 1), new("mos", 1)])).Message, "twice");
        StringAssert.Contains(Assert.ThrowsExactly<OptionException>(() => QaicOptions.FromKeywords([new("num_activations", 1), new("num_activation", 1)])).Message, "as 'num_activations'");
    }

    [TestMethod]
    [DataRow("num_activatoins", "num_activations")]
    [DataRow("aicnumcores", "aic_num_cores")]
    [DataRow("covert_to_fp16", "convert_to_fp16")]
    [DataRow("set-sise", "set-size")]
    [DataRow("BatchSize", "batch_size")]
    [DataRow("node_precision_inf", "node_precision_info")]
    [DataRow("zzzzzzzz", null)]
    [DataRow("", null)]
    public void The_nearest_name_is_found(string typed, string? expected) => Assert.AreEqual(expected, OptionTable.Nearest(typed));

    [TestMethod]
    public void Keywords_of_options_are_simple_values()
    {
        var keywords = new QaicOptions
        {
            DeviceIds = [1, 2],
            NumCores = 4,
            ConvertToFp16 = true,
            VtcmWorkingSetLimitRatio = 0.5m,
            QuantizationCalibration = QuantizationCalibration.Sqnr,
            OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("n", 1),
            OutputNodeNames = ["y"],
        }.ToKeywords();
        Assert.AreEqual("aic_num_cores convert_to_fp16 dev_id onnx_define_symbol output_node_names quantization_calibration vtcm_working_set_limit_ratio", string.Join(' ', keywords.Keys));
        CollectionAssert.AreEqual(new object[] { 1, 2 }, (object[])keywords["dev_id"]);
        Assert.AreEqual(1, ((Dictionary<string, object>)keywords["onnx_define_symbol"])["n"]);
        Assert.AreEqual("SQNR", keywords["quantization_calibration"]);
        Assert.AreEqual(0.5m, keywords["vtcm_working_set_limit_ratio"]);
        Assert.AreEqual(3, new QaicOptions { DeviceId = 3 }.ToKeywords()["dev_id"]);
    }

    [TestMethod]
    public void Compile_values_are_canonical()
    {
        var one = new QaicOptions { PercentileCalibrationValue = 99.90m, OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("b", 2).Add("a", 1), ExecuteNodesInFp16 = ["Add", "Mul"], Mos = [1, 2], NumCores = 4 };
        var other = new QaicOptions { PercentileCalibrationValue = 99.9m, OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("a", 1).Add("b", 2), ExecuteNodesInFp16 = ["Add", "Mul"], Mos = [1, 2], NumCores = 4, SetSize = 9 };
        const string Expected = """aic_num_cores=4 execute_nodes_in_fp16=["Add", "Mul"] mos=[1, 2] onnx_define_symbol={"a": 1, "b": 2} percentile_calibration_value=99.9""";
        Assert.AreEqual(Expected, string.Join(' ', OptionTable.CompileValues(one).Select(p => $"{p.Key}={p.Value}")));
        Assert.AreEqual(Expected, string.Join(' ', OptionTable.CompileValues(other).Select(p => $"{p.Key}={p.Value}")));

        // Which elements there are can always be told.
        Assert.AreNotEqual(OptionTable.CompileValues(new QaicOptions { OutputNodeNames = ["a", "b"] })["output_node_names"], OptionTable.CompileValues(new QaicOptions { OutputNodeNames = ["a\", \"b"] })["output_node_names"]);
    }

    private static QaicOptions One(string keyword, object? value) => QaicOptions.FromKeywords([KeyValuePair.Create(keyword, value)]);
}
