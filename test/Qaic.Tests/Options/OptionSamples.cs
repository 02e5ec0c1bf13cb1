using System.Collections.Immutable;
using Qaic.Options;

namespace Qaic.Tests.Options;

/// <summary>A sample for every row, written by hand from the vendor's pages and not from the table under test.</summary>
/// <param name="Keyword">Keyword in python.</param>
/// <param name="Value">A python-like value that is not the default.</param>
/// <param name="Yaml">The line that stands for it in YAML, as <see cref="QaicOptions.ToYaml"/> writes it, without the keyword.</param>
/// <param name="Arguments">The compiler's arguments.</param>
internal sealed record OptionSample(string Keyword, object Value, string Yaml, params string[] Arguments);

internal static class OptionSamples
{
    public static readonly ImmutableArray<OptionSample> All =
    [
        // The keywords of python's Session, in the order of its page.
        new("dev_id", 3, "3"),
        new("num_activations", 4, "4"),
        new("set_size", 10, "10"),
        new("mos", 1, "[1]", "-mos=1"),
        new("ols", 2, "2", "-ols=2"),
        new("aic_num_cores", 4, "4", "-aic-num-cores=4"),
        new("convert_to_fp16", true, "true", "-convert-to-fp16"),
        new("onnx_define_symbol", new[] { ("seq len", 128), ("batch", 1) }, "\n  batch: 1\n  seq len: 128", "-onnx-define-symbol=batch,1", "-onnx-define-symbol=seq len,128"),
        new("output_dir", "./qpc", "./qpc"),
        new("output_node_names", new[] { "ArgMax", "Softmax:0" }, "[ArgMax, \"Softmax:0\"]", "-output-node-name=ArgMax", "-output-node-name=Softmax:0"),
        new("model_inputs", new[] { new Dictionary<string, object> { ["input_name"] = "x", ["input_type"] = "float", ["input_shape"] = new[] { 1, 3, 224, 224 } } },
            "[{input_name: x, input_shape: [1, 3, 224, 224], input_type: float}]", "-model-input=x,float,[1,3,224,224]"),
        new("allocator_dealloc_delay", 2, "2", "-allocator-dealloc-delay=2"),
        new("size_split_granularity", 1024, "1024", "-size-split-granularity=1024"),
        new("vtcm_working_set_limit_ratio", 0.75, "0.75", "-vtcm-working-set-limit-ratio=0.75"),
        new("execute_nodes_in_fp16", new[] { "Add", "Div", "Erf", "Softmax" }, "[Add, Div, Erf, Softmax]", "-execute-nodes-in-fp16=Add,Div,Erf,Softmax"),
        new("node_precision_info_file", "node-precision.yaml", "node-precision.yaml", "-node-precision-info=node-precision.yaml"),
        new("keep_original_precision_for_nodes", new[] { "Softmax", "LayerNormalization" }, "[Softmax, LayerNormalization]", "-keep-original-precision-for-nodes=Softmax,LayerNormalization"),
        new("custom_io_list_file", "custom_io.yaml", "custom_io.yaml", "-custom-IO-list-file=custom_io.yaml"),
        new("dump_custom_io_config_template_file", "out.yaml", "out.yaml", "-dump-custom-IO-config-template=out.yaml"),
        new("external_quantization_file", "encodings.yaml", "encodings.yaml", "-external-quantization=encodings.yaml"),
        new("quantization_schema_activations", "asymmetric", "asymmetric", "-quantization-schema-activations=asymmetric"),
        new("quantization_schema_constants", "symmetric_with_uint8", "symmetric_with_uint8", "-quantization-schema-constants=symmetric_with_uint8"),
        new("quantization_calibration", "Percentile", "Percentile", "-quantization-calibration=Percentile"),
        new("percentile_calibration_value", "99.9980", "99.998", "-percentile-calibration-value=99.9980"),
        new("num_histogram_bins", 512, "512", "-num-histogram-bins=512"),
        new("quantization_precision", "Int8", "Int8", "-quantization-precision=Int8"),
        new("quantization_precision_bias", "Int32", "Int32", "-quantization-precision-bias=Int32"),
        new("enable_rowwise", true, "true", "-enable-rowwise"),
        new("enable_channelwise", true, "true", "-enable-channelwise"),
        new("dump_profile", "profile.yaml", "profile.yaml", "-dump-profile=profile.yaml"),
        new("load_profile", "profile.yaml", "profile.yaml", "-load-profile=profile.yaml"),
        new("convert_to_quantize", true, "true", "-convert-to-quantize"),
        new("load_embedding_tables", "tables.zip", "tables.zip", "-load-embedding-tables=tables.zip"),
        new("dump_embedding_tables", "tables.zip", "tables.zip", "-dump-embedding-tables=tables.zip"),
        new("mdp_load_partition_config", "mdp.json", "mdp.json", "-mdp-load-partition-config=mdp.json"),
        new("mdp_dump_partition_config", "mdp.json", "mdp.json", "-mdp-dump-partition-config=mdp.json"),
        new("host_preproc", true, "true", "-host-preproc"),
        new("aic_preproc", true, "true", "-aic-preproc"),
        new("aic_enable_depth_first", true, "true", "-aic-enable-depth-first"),
        new("aic_depth_first_mem", 32, "32", "-aic-depth-first-mem=32"),
        new("stats_batchsize", 8, "8", "-stats-batchsize=8"),
        new("always_expand_onnx_functions", true, "true", "-always-expand-onnx-functions"),
        new("enable_debug", true, "true", "-enable-debug"),
        new("time_passes", true, "true", "-time-passes"),
        new("io_crc", true, "true", "-io-crc"),
        new("io_crc_stride", 256, "256", "-io-crc-stride=256"),
        new("sdp_cluster_sizes", new[] { 4, 4 }, "[4, 4]", "-sdp-cluster-sizes=4,4"),
        new("profiling_threads", 8, "8", "-profiling-threads=8"),
        new("compile_threads", 128, "128", "-compile-threads=128"),
        new("use_producer_dma", true, "true", "-use-producer-dma=1"),
        new("aic_perf_warnings", true, "true", "-aic-perf-warnings"),
        new("aic_perf_metrics", true, "true", "-aic-perf-metrics"),
        new("aic_pmu_recipe", "KernelUtil", "KernelUtil", "-aic-pmu-recipe=KernelUtil"),
        new("aic_pmu_events", "1 2 3", "\"1 2 3\"", "-aic-pmu-events=1 2 3"),
        new("dynamic_shape_input", new[] { "a", "b" }, "[a, b]", "-dynamic-shape-input=a,b"),
        new("multicast_weights", true, "true", "-multicast-weights"),
        new("ddr_stats", true, "true", "-ddr-stats"),
        new("combine_inputs", false, "false", "-combine-inputs=false"),
        new("combine_outputs", false, "false", "-combine-outputs=false"),
        new("enable_metrics", true, "true"),
        new("enable_profiling", true, "true"),

        // Newer flags.
        new("batch_size", 8, "8", "-batchsize=8"),
        new("mxfp6_matmul", true, "true", "-mxfp6-matmul"),
        new("allow_mxint8_mdp_io", true, "true", "-allow-mxint8-mdp-io"),
        new("retained_state", true, "true", "-retained-state"),
        new("network_specialization_config", "specializations.json", "specializations.json", "-network-specialization-config=specializations.json"),
        new("sub_functions", true, "true", "-sub-functions"),
        new("mdts_mos", 1, "1", "-mdts-mos=1"),
        new("aic_hw_version", "ai100", "ai100"),
        new("stats_level", 70, "70", "-stats-level=70"),
        new("aic_profiling_type", new[] { "stats", "latency" }, "[stats, latency]", "-aic-profiling-type=stats", "-aic-profiling-type=latency"),
        new("register_custom_op", new[] { "a.yaml", "b.yaml" }, "[a.yaml, b.yaml]", "-register-custom-op=a.yaml", "-register-custom-op=b.yaml"),
        new("qpc_crc", true, "true", "-qpc-crc"),
        new("io_encrypt", "aes", "aes", "-io-encrypt=aes"),
        new("input_list_file", "list.txt", "list.txt", "-input-list-file=list.txt"),
        new("quantization_schema", "symmetric_with_power2_scale", "symmetric_with_power2_scale", "-quantization-schema=symmetric_with_power2_scale"),
        new("aic_num_of_instances", 2, "2", "-aic-num-of-instances=2"),

        // Ours.
        new("compiler_args", new[] { "-loader-inline-all=0", "-vv" }, "[\"-loader-inline-all=0\", \"-vv\"]", "-loader-inline-all=0", "-vv"),
        new("specializations", new[] { new Dictionary<string, int> { ["n"] = 1 }, new Dictionary<string, int> { ["n"] = 8 } }, "[{\"n\": 1}, {\"n\": 8}]"),
        new("simulate_fp16_activations", true, "true"),
        new("simulate_fake_quantization", true, "true"),
        new("dump_quantized_model", "model_qdq.onnx", "model_qdq.onnx"),
        new("backend", "sim", "sim"),
        new("use_cache", false, "false"),
        new("cache_dir", "/var/cache/qaic", "/var/cache/qaic"),
        new("cache_limit_mib", 100, "100"),
        new("compiler_path", "/opt/qti-aic/exec/qaic-exec", "/opt/qti-aic/exec/qaic-exec"),
        new("compile_timeout", 600, "600"),
    ];

    /// <summary>The keywords on the vendor's page of <c>qaic.Session</c>, which has them in this order.</summary>
    public const string Seed =
        "dev_id num_activations set_size mos ols aic_num_cores convert_to_fp16 onnx_define_symbol output_dir output_node_names model_inputs allocator_dealloac_delay size_split_granularity "
        + "vtcm_working_set_limit_ratio execute_nodes_in_fp16 node_precision_info_file keep_original_precision_for_nodes custom_io_list_file dump_custom_io_config_template_file external_quantization_file "
        + "quantization_schema_activations quantization_schema_constants quantization_calibration percentile_calibration_value num_histogram_bins quantization_precision quantization_precision_bias "
        + "enable_rowwise enable_channelwise dump_profile load_profile convert_to_quantize load_embedding_tables dump_embedding_tables mdp_load_partition_config mdp_dump_partition_config host_preproc "
        + "aic_preproc aic_enable_depth_first aic_depth_first_mem stats_batchsize always_expand_onnx_functions enable_debug time_passes io_crc io_crc_stride sdp_cluster_sizes profiling_threads "
        + "compile_threads use_producer_dma aic_perf_warnings aic_perf_metrics aic_pmu_recipe aic_pmu_events dynamic_shape_input multicast_weights ddr_stats combine_inputs combine_outputs "
        + "enable_metrics enable_profiling";

    public static OptionSample Of(OptionInfo option) => All.Single(s => s.Keyword == option.Keyword);

    public static QaicOptions Options(OptionInfo option) => QaicOptions.FromKeywords([KeyValuePair.Create(option.Keyword, (object?)Of(option).Value)]);
}
