using System.Collections.Immutable;
using System.Reflection;
using Qaic.Options;

namespace Qaic.Tests.Options;

[TestClass]
public sealed class QaicOptionsTests
{
    [TestMethod]
    public void Defaults_are_valid_and_without_warnings()
    {
        QaicOptions.Default.Validate();
        Assert.AreEqual("", string.Join('\n', QaicOptions.Default.GetWarnings()));
        Assert.AreEqual("", QaicOptions.Default.ToYaml());
        Assert.IsEmpty(QaicOptions.Default.ToKeywords());
        Assert.IsEmpty(OptionTable.CompilerArguments(QaicOptions.Default));
        Assert.IsEmpty(OptionTable.CompileValues(QaicOptions.Default));
    }

    [TestMethod]
    [DataRow(nameof(QaicOptions.DeviceId), -1, "DeviceIds (dev_id)")]
    [DataRow(nameof(QaicOptions.NumActivations), 0, "NumActivations (num_activations)")]
    [DataRow(nameof(QaicOptions.SetSize), 0, "SetSize (set_size)")]
    [DataRow(nameof(QaicOptions.NumCores), 17, "NumCores (aic_num_cores)")]
    [DataRow(nameof(QaicOptions.BatchSize), 0, "BatchSize (batch_size)")]
    [DataRow(nameof(QaicOptions.CompileTimeout), 0, "CompileTimeout (compile_timeout)")]
    public void A_number_out_of_range_is_refused_with_both_names_of_the_option(string property, int value, string names)
    {
        var options = new QaicOptions();
        typeof(QaicOptions).GetProperty(property)!.SetValue(options, value);
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(options.Validate);
        StringAssert.Contains(e.Message, names);
        Assert.AreEqual(value, e.ActualValue);
    }

    [TestMethod]
    public void A_symbol_below_one_is_refused_by_name()
    {
        var options = new QaicOptions { OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("sequence", 0) };
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(options.Validate);
        StringAssert.Contains(e.Message, "'sequence'");
        Assert.AreEqual(nameof(QaicOptions.OnnxDefineSymbol), e.ParamName);
    }

    [TestMethod]
    public void An_unknown_value_of_an_enumeration_is_refused()
    {
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new QaicOptions { Backend = (QaicBackend)9 }.Validate()).Message, "auto, aic, sim");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new QaicOptions { ProfilingTypes = [(ProfilingType)9] }.Validate()).Message, "stats, trace, latency");
    }

    [TestMethod]
    public void A_missing_dictionary_is_refused() =>
        Assert.ThrowsExactly<ArgumentNullException>(() => new QaicOptions { OnnxDefineSymbol = null! }.Validate());

    [TestMethod]
    public void Default_arrays_are_empty_ones_but_some_device_is_needed()
    {
        var options = new QaicOptions { CompilerArguments = default, Mos = default, Specializations = default, SdpClusterSizes = default };
        options.Validate();
        Assert.AreEqual(QaicOptions.Default, options);
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => new QaicOptions { DeviceIds = default }.Validate()).Message, "DeviceIds (dev_id) must name at least one device");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => new QaicOptions { DeviceIds = [1, 2, 1] }.Validate()).Message, "'1' twice");
    }

    [TestMethod]
    public void Texts_that_cannot_be_meant_are_refused()
    {
        Refused(new QaicOptions { OutputDirectory = " " }, "OutputDirectory (output_dir)", "must not be empty");
        Refused(new QaicOptions { LoadProfile = "a\0b" }, "LoadProfile (load_profile)", "control characters");
        Refused(new QaicOptions { ExecuteNodesInFp16 = ["Add", ""] }, "ExecuteNodesInFp16 (execute_nodes_in_fp16)", "must not be empty");
        Refused(new QaicOptions { ExecuteNodesInFp16 = ["Add,Mul"] }, "must not contain commas", "'Add,Mul'");
        Refused(new QaicOptions { ExecuteNodesInFp16 = [null!] }, "null");
        Refused(new QaicOptions { OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("", 1) }, "must not be empty");
        Refused(new QaicOptions { Specializations = [ImmutableDictionary<string, int>.Empty] }, "each shape set");
        Refused(new QaicOptions { PmuEvents = "1 2 3 4 5 6 7 8 9" }, "PmuEvents (aic_pmu_events)", "up to 8 events, not 9");
        Refused(new QaicOptions { ModelInputs = [new ModelInput("x", "float", [1, 0])] }, "dimensions of 1 or more");
    }

    [TestMethod]
    public void Raw_arguments_are_checked_for_what_would_collide()
    {
        new QaicOptions { CompilerArguments = ["-new-flag=1", "-v", "-aic-num-cores=4"] }.Validate();
        new QaicOptions { CompilerArguments = ["-convert-to-fp16=false"], LoadProfile = "p" }.Validate();
        new QaicOptions { CompilerArguments = ["-stats-level=70", "-aic-num-cores=8"], SdpClusterSizes = [4, 4] }.Validate();
        new QaicOptions { CompilerArguments = ["-io-crc"], IoCrcStride = 256 }.Validate();
        Refused(new QaicOptions { CompilerArguments = ["new-flag"] }, "CompilerArguments (compiler_args)", "begin with a dash", "'new-flag'");
        Refused(new QaicOptions { CompilerArguments = ["-m=x.onnx"] }, "'-m=x.onnx'", "Leave it out");
        Refused(new QaicOptions { CompilerArguments = ["-aic-binary-dir=d"] }, "Use the option OutputDirectory (output_dir)");
        Refused(new QaicOptions { CompilerArguments = ["-aic-num-cores=4"], NumCores = 2 }, "NumCores (aic_num_cores)", "-aic-num-cores");
    }

    public static IEnumerable<object[]> Exclusions =>
    [
        [new QaicOptions { EnableMetrics = true, EnableProfiling = true }, "EnableMetrics (enable_metrics)", "EnableProfiling (enable_profiling)"],
        [new QaicOptions { DumpProfile = "p", LoadProfile = "p" }, "DumpProfile (dump_profile)", "LoadProfile (load_profile)"],
        [new QaicOptions { DumpProfile = "p", ConvertToQuantize = true }, "DumpProfile (dump_profile)", "ConvertToQuantize (convert_to_quantize)"],
        [new QaicOptions { LoadProfile = "p", ConvertToQuantize = true }, "LoadProfile (load_profile)", "ConvertToQuantize (convert_to_quantize)"],
        [new QaicOptions { DumpProfile = "p", ExternalQuantizationFile = "e" }, "DumpProfile (dump_profile)", "ExternalQuantizationFile (external_quantization_file)"],
        [new QaicOptions { ConvertToQuantize = true, ExternalQuantizationFile = "e" }, "ConvertToQuantize (convert_to_quantize)", "ExternalQuantizationFile (external_quantization_file)"],
        [new QaicOptions { CompilerArguments = ["-convert-to-fp16"], LoadProfile = "p" }, "CompilerArguments (compiler_args) '-convert-to-fp16'", "LoadProfile (load_profile)"],
        [new QaicOptions { ConvertToFp16 = true, CompilerArguments = ["-load-profile=p"] }, "ConvertToFp16 (convert_to_fp16)", "CompilerArguments (compiler_args) '-load-profile=p'"],
        [new QaicOptions { CompilerArguments = ["-convert-to-fp16", "-load-profile=p"] }, "'-convert-to-fp16'", "'-load-profile=p'"],
        [new QaicOptions { NumCores = 8, SdpClusterSizes = [4, 4], CompilerArguments = ["-stats-level=50"] }, "SdpClusterSizes (sdp_cluster_sizes)", "'-stats-level=50'"],
        [new QaicOptions { LoadProfile = "p", ExternalQuantizationFile = "e" }, "LoadProfile (load_profile)", "ExternalQuantizationFile (external_quantization_file)"],
        [new QaicOptions { ConvertToFp16 = true, LoadProfile = "p" }, "ConvertToFp16 (convert_to_fp16)", "LoadProfile (load_profile)"],
        [new QaicOptions { ConvertToFp16 = true, DumpProfile = "p" }, "ConvertToFp16 (convert_to_fp16)", "DumpProfile (dump_profile)"],
        [new QaicOptions { ConvertToFp16 = true, ConvertToQuantize = true }, "ConvertToFp16 (convert_to_fp16)", "ConvertToQuantize (convert_to_quantize)"],
        [new QaicOptions { ConvertToFp16 = true, ExternalQuantizationFile = "e" }, "ConvertToFp16 (convert_to_fp16)", "ExternalQuantizationFile (external_quantization_file)"],
        [new QaicOptions { HostPreproc = true, AicPreproc = true }, "HostPreproc (host_preproc)", "AicPreproc (aic_preproc)"],
        [new QaicOptions { SdpClusterSizes = [2, 2], EnableDepthFirst = true }, "SdpClusterSizes (sdp_cluster_sizes)", "EnableDepthFirst (aic_enable_depth_first)"],
        [new QaicOptions { SdpClusterSizes = [2, 2], MdpLoadPartitionConfig = "m" }, "SdpClusterSizes (sdp_cluster_sizes)", "MdpLoadPartitionConfig (mdp_load_partition_config)"],
        [new QaicOptions { SdpClusterSizes = [2, 2], MdpDumpPartitionConfig = "m" }, "SdpClusterSizes (sdp_cluster_sizes)", "MdpDumpPartitionConfig (mdp_dump_partition_config)"],
        [new QaicOptions { SdpClusterSizes = [2, 2], StatsLevel = 50 }, "SdpClusterSizes (sdp_cluster_sizes)", "StatsLevel (stats_level)"],
        [new QaicOptions { NetworkSpecializationConfig = "s", DynamicShapeInput = ["x"] }, "NetworkSpecializationConfig (network_specialization_config)", "DynamicShapeInput (dynamic_shape_input)"],
        [new QaicOptions { Specializations = [ImmutableDictionary<string, int>.Empty.Add("n", 1)], DynamicShapeInput = ["x"] }, "Specializations (specializations)", "DynamicShapeInput (dynamic_shape_input)"],
        [new QaicOptions { Specializations = [ImmutableDictionary<string, int>.Empty.Add("n", 1)], NetworkSpecializationConfig = "s" }, "Specializations (specializations)", "NetworkSpecializationConfig (network_specialization_config)"],
        [new QaicOptions { AlwaysExpandOnnxFunctions = true, SubFunctions = true }, "AlwaysExpandOnnxFunctions (always_expand_onnx_functions)", "SubFunctions (sub_functions)"],
        [new QaicOptions { PmuRecipe = PmuRecipe.AxiRd, PmuEvents = "1" }, "PmuRecipe (aic_pmu_recipe)", "PmuEvents (aic_pmu_events)"],
        [new QaicOptions { QuantizationSchema = QuantizationSchema.Symmetric, QuantizationSchemaConstants = QuantizationSchema.Symmetric }, "QuantizationSchema (quantization_schema)", "QuantizationSchemaConstants (quantization_schema_constants)"],
        [new QaicOptions { QuantizationSchema = QuantizationSchema.Symmetric, QuantizationSchemaActivations = QuantizationSchema.Symmetric }, "QuantizationSchema (quantization_schema)", "QuantizationSchemaActivations (quantization_schema_activations)"],
        [new QaicOptions { DepthFirstMem = 16 }, "DepthFirstMem (aic_depth_first_mem)", "EnableDepthFirst (aic_enable_depth_first)"],
        [new QaicOptions { IoCrcStride = 256 }, "IoCrcStride (io_crc_stride)", "IoCrc (io_crc)"],
        [new QaicOptions { SdpClusterSizes = [4, 4], NumCores = 7 }, "SdpClusterSizes (sdp_cluster_sizes)", "NumCores (aic_num_cores)"],
    ];

    [TestMethod]
    [DynamicData(nameof(Exclusions))]
    public void Options_that_do_not_go_together_are_refused_with_all_their_names(QaicOptions options, string one, string other) => Refused(options, one, other);

    [TestMethod]
    public void Options_next_to_an_exclusion_are_accepted()
    {
        new QaicOptions { SdpClusterSizes = [7, 7], NumCores = 14, StatsLevel = 70 }.Validate();
        new QaicOptions { DepthFirstMem = 32, EnableDepthFirst = true }.Validate();
        new QaicOptions { IoCrcStride = 256, IoCrc = true }.Validate();
        new QaicOptions { EnableMetrics = true }.Validate();
        new QaicOptions { ConvertToFp16 = true, MxFp6MatMul = true, NodePrecisionInfoFile = "n" }.Validate();
    }

    public static IEnumerable<object[]> Warned =>
    [
        [new QaicOptions { PercentileCalibrationValue = 99.9m, LoadProfile = "p", QuantizationPrecisionBias = BiasPrecision.Int32 }, "PercentileCalibrationValue (percentile_calibration_value)"],
        [new QaicOptions { QuantizationCalibration = QuantizationCalibration.Percentile, LoadProfile = "p", QuantizationPrecisionBias = BiasPrecision.Int32 }, "percentile_calibration_value"],
        [new QaicOptions { QuantizationCalibration = QuantizationCalibration.KLMinimization, NumHistogramBins = 128, DumpProfile = "p", InputListFile = "l", QuantizationPrecisionBias = BiasPrecision.Int32 }, "num_histogram_bins"],
        [new QaicOptions { EnableChannelwise = true }, "EnableChannelwise (enable_channelwise)"],
        [new QaicOptions { ExecuteNodesInFp16 = ["Add"] }, "ExecuteNodesInFp16 (execute_nodes_in_fp16)"],
        [new QaicOptions { LoadProfile = "p" }, "QuantizationPrecisionBias (quantization_precision_bias)"],
        [new QaicOptions { ConvertToQuantize = true, QuantizationPrecisionBias = BiasPrecision.Int32 }, "InputListFile (input_list_file)"],
        [new QaicOptions { ProfilingThreads = 8 }, "ProfilingThreads (profiling_threads)"],
        [new QaicOptions { MxFp6MatMul = true }, "MxFp6MatMul (mxfp6_matmul)"],
        [new QaicOptions { NodePrecisionInfoFile = "n" }, "NodePrecisionInfoFile (node_precision_info_file)"],
        [new QaicOptions { SimulateFp16Activations = true }, "SimulateFp16Activations (simulate_fp16_activations)"],
        [new QaicOptions { SimulateFakeQuantization = true, ConvertToFp16 = true }, "SimulateFakeQuantization (simulate_fake_quantization)"],
        [new QaicOptions { MulticastWeights = true, NumCores = 1 }, "MulticastWeights (multicast_weights)"],
        [new QaicOptions { StatsBatchSize = 4, BatchSize = 8 }, "StatsBatchSize (stats_batchsize)"],
        [new QaicOptions { DdrStats = true }, "DdrStats (ddr_stats)"],
        [new QaicOptions { MdpLoadPartitionConfig = "a", MdpDumpPartitionConfig = "b" }, "MdpLoadPartitionConfig (mdp_load_partition_config)"],
        [new QaicOptions { Ols = 4, NumCores = 2 }, "Ols (ols)"],
        [new QaicOptions { Mos = [1, 4], NumCores = 2 }, "Mos (mos)"],
    ];

    [TestMethod]
    public void What_has_an_effect_is_not_warned_of()
    {
        QaicOptions[] meant =
        [
            new() { ConvertToFp16 = true, KeepOriginalPrecisionForNodes = ["Softmax"], NodePrecisionInfoFile = "n", SimulateFp16Activations = true },
            new() { LoadProfile = "p", InputListFile = "l", QuantizationCalibration = QuantizationCalibration.Auto, QuantizationPrecisionBias = BiasPrecision.Int32, SimulateFakeQuantization = true, NodePrecisionInfoFile = "n" },
        ];
        foreach (QaicOptions options in meant)
        {
            Assert.AreEqual("", string.Join('\n', options.GetWarnings()));
        }
    }

    [TestMethod]
    [DynamicData(nameof(Warned))]
    public void What_is_allowed_but_hardly_meant_is_warned_of_once(QaicOptions options, string name)
    {
        options.Validate();
        StringAssert.Contains(Assert.ContainsSingle(options.GetWarnings()), name);
    }

    [TestMethod]
    public void Options_of_equal_content_are_equal_whatever_holds_it()
    {
        QaicOptions first = Full();
        QaicOptions second = Full();
        Assert.AreNotSame(first, second);
        Assert.AreEqual(first, second);
        Assert.AreEqual(first.GetHashCode(), second.GetHashCode());
        Assert.IsTrue(first == second);
        Assert.AreEqual(new QaicOptions { PercentileCalibrationValue = 99.90m }, new QaicOptions { PercentileCalibrationValue = 99.9m });
        Assert.AreEqual(new QaicOptions { PercentileCalibrationValue = 99.90m }.GetHashCode(), new QaicOptions { PercentileCalibrationValue = 99.9m }.GetHashCode());

        static QaicOptions Full() => new()
        {
            DeviceIds = [1, 2],
            Mos = [1, 4],
            OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("a", 1).Add("b", 2),
            Specializations = [ImmutableDictionary<string, int>.Empty.Add("n", 1), ImmutableDictionary<string, int>.Empty.Add("n", 2)],
            ModelInputs = [new ModelInput("x", "float", [1, 3])],
            CompilerArguments = ["-x"],
        };
    }

    [TestMethod]
    public void A_difference_in_any_option_makes_options_unequal()
    {
        foreach (OptionInfo option in OptionTable.All)
        {
            QaicOptions other = OptionSamples.Options(option);
            Assert.AreNotEqual(QaicOptions.Default, other, option.Keyword);
            Assert.IsTrue(option.IsSet(other), option.Keyword);
            Assert.AreEqual(other, OptionSamples.Options(option), option.Keyword);
        }
    }

    [TestMethod]
    public void Options_print_what_is_set() =>
        Assert.AreEqual("dev_id=[1, 2], batch_size=8, onnx_define_symbol={\"seq\": 128}", new QaicOptions { DeviceIds = [1, 2], BatchSize = 8, OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("seq", 128) }.ToString());

    [TestMethod]
    public void Every_property_but_the_shorthand_declares_names_of_its_own()
    {
        PropertyInfo[] properties = typeof(QaicOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);
        Assert.AreEqual(nameof(QaicOptions.DeviceId), string.Join(' ', properties.Where(p => p.GetCustomAttribute<OptionAttribute>() is null).Select(p => p.Name)));
        Assert.AreEqual(properties.Length - 1, OptionTable.All.Length);
        string[] names = [.. OptionTable.All.SelectMany(o => o.Aliases.Prepend(o.Keyword))];
        Assert.AreEqual(names.Length, names.Distinct(StringComparer.OrdinalIgnoreCase).Count(), string.Join(", ", names));
        Assert.AreEqual("", string.Join(", ", OptionTable.All.Select(o => o.Keyword).Where(k => !k.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_'))));
    }

    private static void Refused(QaicOptions options, params string[] words)
    {
        ArgumentException e = Assert.Throws<ArgumentException>(options.Validate);
        foreach (string word in words)
        {
            StringAssert.Contains(e.Message, word);
        }
    }
}
