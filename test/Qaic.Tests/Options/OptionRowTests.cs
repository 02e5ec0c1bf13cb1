using System.Collections.Immutable;
using System.Globalization;
using Qaic.Options;

namespace Qaic.Tests.Options;

/// <summary>Every row of the table, in both directions.</summary>
[TestClass]
public sealed class OptionRowTests
{
    public static IEnumerable<object[]> Rows => OptionTable.All.Select(o => new object[] { o.Keyword });

    [TestMethod]
    public void The_samples_and_the_table_have_the_same_rows() =>
        Assert.AreEqual(
            string.Join(' ', OptionSamples.All.Select(s => s.Keyword).Order(StringComparer.Ordinal)), string.Join(' ', OptionTable.All.Select(o => o.Keyword).Order(StringComparer.Ordinal)));

    [TestMethod]
    public void Every_keyword_of_the_python_package_is_an_option_of_its_own()
    {
        string[] keywords = OptionSamples.Seed.Split(' ');
        Assert.HasCount(61, keywords);
        Assert.AreEqual("", string.Join(' ', keywords.Where(k => OptionTable.Find(k) is null)));
        Assert.AreEqual(61, keywords.Select(OptionTable.Find).Distinct().Count());
    }

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void A_keyword_becomes_a_property_and_a_keyword_again(string keyword)
    {
        OptionInfo option = OptionTable.Find(keyword)!;
        QaicOptions options = OptionSamples.Options(option);
        KeyValuePair<string, object> back = Assert.ContainsSingle(options.ToKeywords());
        Assert.AreEqual(keyword, back.Key);
        Assert.AreEqual(options, QaicOptions.FromKeywords([KeyValuePair.Create(back.Key, (object?)back.Value)]));
        Assert.AreEqual(keyword, string.Join(' ', OptionTable.All.Where(o => o.IsSet(options)).Select(o => o.Keyword)));
    }

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void Yaml_becomes_a_property_and_the_same_YAML_again(string keyword)
    {
        OptionSample sample = OptionSamples.Of(OptionTable.Find(keyword)!);
        string yaml = $"{keyword}:{(sample.Yaml.StartsWith('\n') ? "" : " ")}{sample.Yaml}\n";
        QaicOptions options = QaicOptions.ParseYaml(yaml);
        Assert.AreEqual(OptionSamples.Options(OptionTable.Find(keyword)!), options);
        Assert.AreEqual(yaml, options.ToYaml());
    }

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void A_property_becomes_the_vendors_arguments(string keyword)
    {
        OptionInfo option = OptionTable.Find(keyword)!;
        IReadOnlyList<CompilerArgument> arguments = OptionTable.CompilerArguments(OptionSamples.Options(option));
        Assert.AreEqual(string.Join('\n', OptionSamples.Of(option).Arguments), string.Join('\n', arguments.Select(a => a.Text)));
        foreach (CompilerArgument argument in arguments)
        {
            Assert.AreEqual(keyword, argument.Keyword);
            Assert.AreEqual(argument.Text.TrimStart('-').Split('=')[0], argument.Flag);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void Every_name_in_either_spelling_leads_to_the_option(string keyword)
    {
        OptionInfo option = OptionTable.Find(keyword)!;
        foreach (string name in option.YamlKeys.Append(option.Flag ?? keyword))
        {
            Assert.AreSame(option, OptionTable.Find(name), name);
            Assert.AreEqual(OptionSamples.Options(option), QaicOptions.FromKeywords([KeyValuePair.Create(name, (object?)OptionSamples.Of(option).Value)]), name);
        }

        CollectionAssert.Contains(option.YamlKeys.ToList(), keyword.Replace('_', '-'));
    }

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void Null_is_the_default_even_over_another_value(string keyword)
    {
        QaicOptions options = OptionSamples.Options(OptionTable.Find(keyword)!);
        Assert.AreEqual(QaicOptions.Default, QaicOptions.FromKeywords([KeyValuePair.Create(keyword, (object?)null)], options));
        Assert.AreEqual(QaicOptions.Default, QaicOptions.ParseYaml($"{keyword}: ~", start: options));
    }

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void Compile_values_are_those_of_the_compile_stage(string keyword)
    {
        OptionInfo option = OptionTable.Find(keyword)!;
        var values = OptionTable.CompileValues(OptionSamples.Options(option));
        Assert.AreEqual(option.Stage == OptionStage.Compile ? keyword : "", string.Join(' ', values.Keys));
        Assert.IsTrue(values.Values.All(v => v.Length > 0));
        Assert.IsTrue(option.Stage == OptionStage.Compile || OptionSamples.Of(option).Arguments.Length == 0, "an argument of the compiler that is no compile-stage option");
    }

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void The_bounds_of_a_range_are_in_it_and_what_lies_beyond_is_not(string keyword)
    {
        OptionInfo option = OptionTable.Find(keyword)!;
        decimal[] bounds = [.. option.Range.Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(w => char.IsAsciiDigit(w[0])).Select(w => decimal.Parse(w, CultureInfo.InvariantCulture))];
        if (bounds.Length == 0 || option.Choices.Count > 0)
        {
            return;
        }

        Assert.AreEqual(bounds.Length == 1 ? $"{bounds[0]} or more" : $"{bounds[0]} to {bounds[1]}", option.Range);
        foreach (decimal bound in bounds)
        {
            Assert.AreEqual(bound, Assert.ContainsSingle(Numbers(option.GetValue(With(bound)))));
        }

        Assert.Contains($"must be {option.Range}", Assert.ThrowsExactly<OptionException>(() => With(bounds[0] - 1)).Message);
        if (bounds.Length == 2)
        {
            Assert.Contains($"must be {option.Range}", Assert.ThrowsExactly<OptionException>(() => With(bounds[1] + 1)).Message);
        }

        static IEnumerable<decimal> Numbers(object? value) => value switch
        {
            int number => [number],
            decimal number => [number],
            ImmutableArray<int> numbers => numbers.Select(n => (decimal)n),
            ImmutableDictionary<string, int> symbols => symbols.Values.Select(n => (decimal)n),
            ImmutableArray<ImmutableDictionary<string, int>> sets => sets.SelectMany(s => s.Values).Select(n => (decimal)n),
            _ => [],
        };

        QaicOptions With(decimal value)
        {
            object number = option.TypeName == "float" ? value : (object)(int)value;
            object sample = option.TypeName switch
            {
                "map of str to int" => new Dictionary<string, int> { ["n"] = (int)value },
                "list of map of str to int" => new[] { new Dictionary<string, int> { ["n"] = (int)value } },
                _ => number,
            };
            return QaicOptions.FromKeywords([KeyValuePair.Create(keyword, (object?)sample)]);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void A_value_of_another_kind_is_refused_by_keyword(string keyword)
    {
        OptionInfo option = OptionTable.Find(keyword)!;
        object wrong = option.TypeName is "int" or "float" or "list of int" ? "four" : option.TypeName == "bool" ? "perhaps" : option.Choices.Count > 0 ? "something" : new object[] { new object[] { true } };
        var e = Assert.ThrowsExactly<OptionException>(() => QaicOptions.FromKeywords([KeyValuePair.Create(keyword, (object?)wrong)]));
        Assert.Contains($"'{keyword}' must be ", e.Message);
        Assert.AreEqual(keyword, e.Key);
        Assert.IsNull(e.Line);
    }

    [TestMethod]
    public void Vendors_value_sets_are_complete_and_spelled_as_the_vendor_does()
    {
        Choices("quantization_schema_activations", "asymmetric symmetric symmetric_with_uint8 symmetric_with_power2_scale");
        Choices("quantization_schema_constants", "asymmetric symmetric symmetric_with_uint8 symmetric_with_power2_scale");
        Choices("quantization_calibration", "None KLMinimization KLMinimizationV2 Percentile MSE SQNR auto");
        Choices("quantization_precision", "Int8 Int16");
        Choices("quantization_precision_bias", "Int8 Int32");
        Choices("aic_pmu_recipe", "AxiRd AxiWr AxiRdWr KernelUtil HmxMacs");
        Choices("aic_profiling_type", "stats trace latency");
        Choices("backend", "auto aic sim");

        static void Choices(string keyword, string expected)
        {
            OptionInfo option = OptionTable.Find(keyword)!;
            Assert.AreEqual(expected, string.Join(' ', option.Choices));
            foreach (string choice in option.Choices)
            {
                QaicOptions options = QaicOptions.FromKeywords([KeyValuePair.Create(keyword, (object?)choice)]);
                options.Validate();
                Assert.AreEqual(option.TypeName == "str" ? choice : $"[\"{choice}\"]", option.Format(options));
                Assert.AreEqual(options, QaicOptions.ParseYaml($"{keyword}: {choice}"));
                if (option.Flag is not null)
                {
                    Assert.AreEqual($"-{option.Flag}={choice}", OptionTable.CompilerArguments(options).Single().Text);
                }
            }
        }
    }

    [TestMethod]
    public void Vendors_ranges_and_stages_are_the_documented_ones()
    {
        Assert.AreEqual("0 to 10", Range("allocator_dealloac_delay"));
        Assert.AreEqual("512 to 2048", Range("size_split_granularity"));
        Assert.AreEqual("0 to 1", Range("vtcm_working_set_limit_ratio"));
        Assert.AreEqual("90 to 100", Range("percentile_calibration_value"));
        Assert.AreEqual("8 to 32", Range("aic_depth_first_mem"));
        Assert.AreEqual("1 to 16", Range("aic_num_cores"));
        Assert.AreEqual("dev_id num_activations set_size", Stage(OptionStage.Run));
        Assert.AreEqual("backend enable_metrics enable_profiling output_dir use_cache cache_dir cache_limit_mib compiler_path compile_timeout", Stage(OptionStage.Session));

        static string Range(string keyword) => OptionTable.Find(keyword)!.Range;
        static string Stage(OptionStage stage) => string.Join(' ', OptionTable.All.Where(o => o.Stage == stage).Select(o => o.Keyword));
    }

    [TestMethod]
    public void Files_that_options_name_are_told_apart()
    {
        Assert.AreEqual(
            "custom_io_list_file external_quantization_file input_list_file load_embedding_tables load_profile mdp_load_partition_config network_specialization_config node_precision_info_file register_custom_op",
            string.Join(' ', OptionTable.All.Where(o => o.IsInputFile).Select(o => o.Keyword).Order(StringComparer.Ordinal)));
        Assert.AreEqual(
            "dump_custom_io_config_template_file dump_embedding_tables dump_profile dump_quantized_model mdp_dump_partition_config",
            string.Join(' ', OptionTable.All.Where(o => o.File == OptionFile.Output).Select(o => o.Keyword).Order(StringComparer.Ordinal)));
        var options = new QaicOptions { RegisterCustomOps = ["a.yaml", "b.yaml"], LoadProfile = "p.yaml", OutputDirectory = "out", BatchSize = 4 };
        Assert.AreEqual("a.yaml b.yaml p.yaml", string.Join(' ', OptionTable.All.SelectMany(o => o.Files(options))));
    }

    [TestMethod]
    public void What_the_embedded_compiler_only_records_is_listed()
    {
        var options = new QaicOptions { BatchSize = 4, NumCores = 2, Mos = [1], MulticastWeights = true, ConvertToFp16 = true, SetSize = 2, OutputDirectory = "out", CustomIoListFile = "c.yaml" };
        Assert.AreEqual("mos multicast_weights", string.Join(' ', OptionTable.NotSimulated(options)));
    }

    [TestMethod]
    public void Nothing_is_written_for_false_and_explicit_flags_are_written_for_both()
    {
        var options = new QaicOptions { ConvertToFp16 = false, UseProducerDma = false, CombineInputs = true, CombineOutputs = false };
        Assert.AreEqual("-use-producer-dma=0 -combine-inputs=true -combine-outputs=false", string.Join(' ', OptionTable.CompilerArguments(options).Select(a => a.Text)));
    }

    [TestMethod]
    public void A_quantized_model_input_has_scale_and_offset_before_its_shape() =>
        Assert.AreEqual("-model-input=x,int8q,0.5,-3,[1,8]", OptionTable.CompilerArguments(new QaicOptions { ModelInputs = [new ModelInput("x", "int8q", [1, 8]) { Scale = 0.5m, Offset = -3 }] }).Single().Text);

    [TestMethod]
    public void Nothing_depends_on_the_culture()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            // Decimal comma, and a minus sign that is not ASCII's.
            CultureInfo.CurrentCulture = new CultureInfo("de-DE") { NumberFormat = { NegativeSign = "−", NumberDecimalSeparator = "," } };
            foreach (OptionInfo option in OptionTable.All)
            {
                A_keyword_becomes_a_property_and_a_keyword_again(option.Keyword);
                Yaml_becomes_a_property_and_the_same_YAML_again(option.Keyword);
                A_property_becomes_the_vendors_arguments(option.Keyword);
            }

            A_quantized_model_input_has_scale_and_offset_before_its_shape();
            Assert.Contains("must be 0 to 1, not 1.5", Assert.ThrowsExactly<OptionException>(() => QaicOptions.ParseYaml("vtcm_working_set_limit_ratio: 1.5")).Message);
            Assert.ThrowsExactly<OptionException>(() => QaicOptions.ParseYaml("vtcm_working_set_limit_ratio: 0,75"));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}
