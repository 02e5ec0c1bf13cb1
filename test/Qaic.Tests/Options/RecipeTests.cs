using Qaic.Compilation;
using Qaic.Options;

namespace Qaic.Tests.Options;

/// <summary>Command lines that the vendor's documentation, SDK and benchmark submissions are known to use, argument for argument.</summary>
/// <remarks>Without model, hardware, output directory and <c>-compile-only</c>, which the compiler's caller adds.</remarks>
[TestClass]
public sealed class RecipeTests
{
    private const string BertNodes = "Mul,Sqrt,Div,Add,ReduceMean,Softmax,Sub,Gather,Erf,Pow,Concat,Tile,LayerNormalization";

    public static IEnumerable<object[]> Recipes =>
    [
        Recipe("ResNet50 profile", "output_node_names: [ArgMax]\nprofiling_threads: 8\nnum_histogram_bins: 512\ninput_list_file: list.txt\ndump_profile: profile.yaml",
            "-output-node-name=ArgMax -profiling-threads=8 -num-histogram-bins=512 -input-list-file=list.txt -dump-profile=profile.yaml"),
        Recipe("ResNet50 offline",
            "load_profile: profile.yaml\nquantization_schema: symmetric_with_uint8\nquantization_precision: Int8\noutput_node_names: [ArgMax]\nuse_producer_dma: true\nbatch_size: 8\naic_num_cores: 4\nmos: [1, 2]\nols: 4",
            "-load-profile=profile.yaml -quantization-schema=symmetric_with_uint8 -quantization-precision=Int8 -output-node-name=ArgMax -use-producer-dma=1 -batchsize=8 -aic-num-cores=4 -mos=1,2 -ols=4"),
        Recipe("ResNet50 single stream",
            "load_profile: profile.yaml\nquantization_schema: symmetric_with_uint8\nquantization_precision: Int8\noutput_node_names: [ArgMax]\nuse_producer_dma: 1\nbatch_size: 1\naic_num_cores: 8\nmos: 1\nols: 1",
            "-load-profile=profile.yaml -quantization-schema=symmetric_with_uint8 -quantization-precision=Int8 -output-node-name=ArgMax -use-producer-dma=1 -batchsize=1 -aic-num-cores=8 -mos=1 -ols=1"),
        Recipe("SSD-ResNet34 profile", "node_precision_info_file: node-precision.yaml\nprofiling_threads: 8\nnum_histogram_bins: 512\nbatch_size: 1\ninput_list_file: list.txt\ndump_profile: profile.yaml",
            "-node-precision-info=node-precision.yaml -profiling-threads=8 -num-histogram-bins=512 -batchsize=1 -input-list-file=list.txt -dump-profile=profile.yaml"),
        Recipe("SSD-ResNet34", "load_profile: profile.yaml\nquantization_precision: Int8\nenable_channelwise: true\nnode_precision_info_file: node-precision.yaml\naic_num_cores: 2\nmos: 1\nols: 2",
            "-load-profile=profile.yaml -quantization-precision=Int8 -enable-channelwise -node-precision-info=node-precision.yaml -aic-num-cores=2 -mos=1 -ols=2"),
        Recipe("RetinaNet",
            "load_profile: profile.yaml\nquantization_schema_activations: asymmetric\nquantization_schema_constants: asymmetric\nquantization_calibration: None\nenable_channelwise: true\nexecute_nodes_in_fp16: [Sigmoid]\nnode_precision_info_file: node-precision.yaml\naic_enable_depth_first: true",
            "-load-profile=profile.yaml -quantization-schema-activations=asymmetric -quantization-schema-constants=asymmetric -quantization-calibration=None -enable-channelwise -execute-nodes-in-fp16=Sigmoid -node-precision-info=node-precision.yaml -aic-enable-depth-first"),
        Recipe("BERT-99 profile", "onnx_define_symbol: {batch_size: 1, seg_length: 384}\nprofiling_threads: 8\nnum_histogram_bins: 512\ninput_list_file: list.txt\ndump_profile: profile.yaml",
            "-onnx-define-symbol=batch_size,1 -onnx-define-symbol=seg_length,384 -profiling-threads=8 -num-histogram-bins=512 -input-list-file=list.txt -dump-profile=profile.yaml"),
        Recipe("BERT-99 mixed precision",
            $"load_profile: profile.yaml\nquantization_schema_activations: symmetric_with_uint8\nquantization_schema_constants: symmetric_with_uint8\nquantization_precision: Int8\nquantization_precision_bias: Int32\nquantization_calibration: Percentile\npercentile_calibration_value: 99.9980\nexecute_nodes_in_fp16: [{BertNodes}]\nallocator_dealloac_delay: 2\nsize_split_granularity: 1536\nvtcm_working_set_limit_ratio: 1\naic_num_cores: 2\nmos: 1\nols: 2",
            $"-load-profile=profile.yaml -quantization-schema-activations=symmetric_with_uint8 -quantization-schema-constants=symmetric_with_uint8 -quantization-precision=Int8 -quantization-precision-bias=Int32 -quantization-calibration=Percentile -percentile-calibration-value=99.9980 -execute-nodes-in-fp16={BertNodes} -allocator-dealloc-delay=2 -size-split-granularity=1536 -vtcm-working-set-limit-ratio=1 -aic-num-cores=2 -mos=1 -ols=2"),
        Recipe("BERT-99 later", "load_profile: profile.yaml\nexecute_nodes_in_fp16: [Add, Div, Erf, Softmax]\nquantization_calibration: Percentile\npercentile_calibration_value: 99.9980\nquantization_precision_bias: Int32\nmulticast_weights: true\ncombine_inputs: false\ncombine_outputs: false",
            "-load-profile=profile.yaml -execute-nodes-in-fp16=Add,Div,Erf,Softmax -quantization-calibration=Percentile -percentile-calibration-value=99.9980 -quantization-precision-bias=Int32 -multicast-weights -combine-inputs=false -combine-outputs=false"),
        Recipe("BERT-99 sweep", "load_profile: profile.yaml\nquantization_calibration: Percentile\npercentile_calibration_value: 99.9970\nsize_split_granularity: 1048",
            "-load-profile=profile.yaml -quantization-calibration=Percentile -percentile-calibration-value=99.9970 -size-split-granularity=1048"),
        Recipe("BERT-99.9", "convert_to_fp16: true\nmos: 4\nols: 1\naic_num_cores: 4", "-convert-to-fp16 -mos=4 -ols=1 -aic-num-cores=4"),
        Recipe("classifier throughput", "convert_to_fp16: true\naic_num_cores: 14\nsdp_cluster_sizes: [7, 7]\nmulticast_weights: true\nuse_producer_dma: true\nmos: [1, 7]",
            "-convert-to-fp16 -aic-num-cores=14 -sdp-cluster-sizes=7,7 -multicast-weights -use-producer-dma=1 -mos=1,7"),
        Recipe("classifier clusters", "aic_num_cores: 12\nsdp_cluster_sizes: [6, 6]\nconvert_to_fp16: true\nstats_batchsize: 8\nbatch_size: 8", "-aic-num-cores=12 -sdp-cluster-sizes=6,6 -convert-to-fp16 -stats-batchsize=8 -batchsize=8"),
        Recipe("diffusion", "convert_to_fp16: true\naic_num_cores: 12\nallocator_dealloc_delay: 4\naic_enable_depth_first: true\naic_depth_first_mem: 18",
            "-convert-to-fp16 -aic-num-cores=12 -allocator-dealloc-delay=4 -aic-enable-depth-first -aic-depth-first-mem=18"),
        Recipe("diffusion, large", "convert_to_fp16: true\naic_num_cores: 16\nmos: 1\nols: 1\naic_enable_depth_first: true\naic_depth_first_mem: 32\nmulticast_weights: true",
            "-convert-to-fp16 -aic-num-cores=16 -mos=1 -ols=1 -aic-enable-depth-first -aic-depth-first-mem=32 -multicast-weights"),
        Recipe("language model", "convert_to_fp16: true\nretained_state: true\nnetwork_specialization_config: specializations.json\ncustom_io_list_file: custom_io_fp16.yaml\nmxfp6_matmul: true\naic_num_cores: 16\nmos: 1\naic_enable_depth_first: true",
            "-convert-to-fp16 -retained-state -network-specialization-config=specializations.json -custom-IO-list-file=custom_io_fp16.yaml -mxfp6-matmul -aic-num-cores=16 -mos=1 -aic-enable-depth-first"),
        Recipe("language model on four cards",
            "convert_to_fp16: true\nretained_state: true\nnetwork_specialization_config: specializations.json\ncustom_io_list_file: custom_io_int8.yaml\nmxfp6_matmul: true\nallow_mxint8_mdp_io: true\naic_num_cores: 16\nmdts_mos: 1\nmdp_load_partition_config: mdp_ts_4.json\naic_enable_depth_first: true",
            "-convert-to-fp16 -retained-state -network-specialization-config=specializations.json -custom-IO-list-file=custom_io_int8.yaml -mxfp6-matmul -allow-mxint8-mdp-io -aic-num-cores=16 -mdts-mos=1 -mdp-load-partition-config=mdp_ts_4.json -aic-enable-depth-first"),
        Recipe("partitions dumped", "convert_to_fp16: true\nsub_functions: true\nmdp_dump_partition_config: mdp.json\naic_num_cores: 16", "-convert-to-fp16 -sub-functions -mdp-dump-partition-config=mdp.json -aic-num-cores=16"),
        Recipe("symbols with operators", "convert_to_fp16: true\nonnx_define_symbol: {batch: 1, past_sequence_length + 1: 33}", "-convert-to-fp16|-onnx-define-symbol=batch,1|-onnx-define-symbol=past_sequence_length + 1,33"),
        Recipe("tutorial", "aic_num_cores: 4\nnum_activations: 1\nconvert_to_fp16: true\nonnx_define_symbol:\n  batch: 1\noutput_dir: './resnet_qpc'", "-aic-num-cores=4 -convert-to-fp16 -onnx-define-symbol=batch,1"),
        Recipe("profiling in one go", "convert_to_quantize: true\nquantization_schema_activations: asymmetric\nquantization_schema_constants: symmetric_with_uint8\nquantization_precision_bias: Int8\ninput_list_file: list.txt",
            "-convert-to-quantize -quantization-schema-activations=asymmetric -quantization-schema-constants=symmetric_with_uint8 -quantization-precision-bias=Int8 -input-list-file=list.txt"),
        Recipe("operators profiled", "convert_to_fp16: true\nstats_level: 70\nddr_stats: true\naic_perf_warnings: true\naic_perf_metrics: true\ncompile_threads: 128\ntime_passes: true",
            "-convert-to-fp16 -stats-level=70 -ddr-stats -aic-perf-warnings -aic-perf-metrics -compile-threads=128 -time-passes"),
        Recipe("counters", "convert_to_fp16: true\nstats_level: 100\naic_pmu_recipe: KernelUtil", "-convert-to-fp16 -stats-level=100 -aic-pmu-recipe=KernelUtil"),
        Recipe("profile types", "convert_to_fp16: true\naic_profiling_type: [stats, trace, latency]", "-convert-to-fp16 -aic-profiling-type=stats -aic-profiling-type=trace -aic-profiling-type=latency"),
        Recipe("custom operators", "convert_to_fp16: true\nregister_custom_op: [clip.yaml, relu.yaml]", "-convert-to-fp16 -register-custom-op=clip.yaml -register-custom-op=relu.yaml"),
        Recipe("custom IO template", "dump_custom_io_config_template_file: custom_io.yaml", "-dump-custom-IO-config-template=custom_io.yaml"),
        Recipe("panoptic segmentation", "load_profile: profile.yaml\nenable_channelwise: true\nenable_rowwise: true\nallocator_dealloc_delay: 9\nvtcm_working_set_limit_ratio: 1.0\nquantization_calibration: Percentile\npercentile_calibration_value: 99.00\nprofiling_threads: 128",
            "-load-profile=profile.yaml -enable-channelwise -enable-rowwise -allocator-dealloc-delay=9 -vtcm-working-set-limit-ratio=1.0 -quantization-calibration=Percentile -percentile-calibration-value=99.00 -profiling-threads=128"),
        Recipe("point clouds", "convert_to_fp16: true\naic_preproc: true\ncombine_inputs: true", "-convert-to-fp16 -aic-preproc -combine-inputs=true"),
        Recipe("hyphens, as in samples", "multicast-weights: True\nstats-batchsize: 8\ncompile-only: true\nconvert-to-fp16: \"True\"\nenable-debug: \"False\"\nonnx-define-symbol: batch,8 seq,128",
            "-multicast-weights -stats-batchsize=8 -convert-to-fp16 -onnx-define-symbol=batch,8 -onnx-define-symbol=seq,128"),
        Recipe("instances", "batchsize: 8\naic_num_of_instances: 4\naic_num_cores: 4\nload_profile: profile.yaml", "-batchsize=8 -aic-num-of-instances=4 -aic-num-cores=4 -load-profile=profile.yaml"),
        Recipe("flags of the next SDK", "convert_to_fp16: true\nqpc_crc: true\ncompiler_args: [-loader-inline-all=0, -v]", "-convert-to-fp16 -qpc-crc -loader-inline-all=0 -v"),
    ];

    [TestMethod]
    [DynamicData(nameof(Recipes))]
    public void A_known_command_line_comes_out_argument_for_argument(string name, string yaml, string arguments)
    {
        QaicOptions options = QaicOptions.ParseYaml(yaml, name);
        options.Validate();

        // The compiler does not mind the order.
        string[] expected = arguments.Split(arguments.Contains('|') ? '|' : ' ');
        Assert.AreEqual(string.Join('\n', expected.Order(StringComparer.Ordinal)), string.Join('\n', OptionTable.CompilerArguments(options).Select(a => a.Text).Order(StringComparer.Ordinal)));
        Assert.AreEqual(options, QaicOptions.ParseYaml(options.ToYaml(), name));
    }

    [TestMethod]
    [DynamicData(nameof(Recipes))]
    public void A_known_command_line_is_what_the_compiler_is_given(string name, string yaml, string arguments)
    {
        string[] expected = arguments.Split(arguments.Contains('|') ? '|' : ' ');
        IReadOnlyList<QaicExecRun> runs = QaicExecPlan.For("/m.onnx", OptionTable.CompilerArguments(QaicOptions.ParseYaml(yaml, name)), "2.0", compileOnly: true, "/out");
        string? profile = expected.FirstOrDefault(a => a.StartsWith("-dump-profile=", StringComparison.Ordinal));
        string? template = expected.FirstOrDefault(a => a.StartsWith("-dump-custom-IO", StringComparison.Ordinal));
        Assert.HasCount(1 + (profile is null ? 0 : 1) + (template is null ? 0 : 1), runs);
        IReadOnlyList<string> last = runs[^1].Texts;
        CollectionAssert.AreEqual(new[] { "-m=/m.onnx", "-aic-hw", "-aic-hw-version=2.0" }, last.Take(3).ToArray());
        CollectionAssert.AreEqual(new[] { "-aic-binary-dir=/out/qpc", "-compile-only" }, last.TakeLast(2).ToArray());
        if (profile is not null)
        {
            // The recipe is the first of two runs; the second compiles with what it has made.
            Assert.AreEqual("-m=/m.onnx", runs[0].Texts[0]);
            AssertSame(expected.Select(a => a == profile ? "-dump-profile=/out/profile.yaml" : a), runs[0].Texts.Skip(1));
            Assert.AreEqual(profile["-dump-profile=".Length..], runs[0].Destination);
            string[] profiling = ["-dump-profile", "-input-list-file", "-profiling-threads", "-num-histogram-bins"];
            AssertSame(expected.Where(a => !profiling.Contains(a.Split('=')[0])).Append("-load-profile=profile.yaml"), last.Skip(3).SkipLast(2));
            return;
        }

        AssertSame(expected.Where(a => a != template), last.Skip(3).SkipLast(2));
    }

    // The compiler does not mind where a flag stands, but the values of a repeated one are in order: of profiling types, custom operators, output nodes.
    private static void AssertSame(IEnumerable<string> expected, IEnumerable<string> actual) =>
        CollectionAssert.AreEqual(expected.OrderBy(a => a.Split('=')[0], StringComparer.Ordinal).ToArray(), actual.OrderBy(a => a.Split('=')[0], StringComparer.Ordinal).ToArray());

    [TestMethod]
    public void There_are_enough_of_them() => Assert.IsGreaterThanOrEqualTo(25, Recipes.Count());

    private static object[] Recipe(string name, string yaml, string arguments) => [name, yaml, arguments];
}
