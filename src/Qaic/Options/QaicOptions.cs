using System.Collections.Immutable;
using Qaic.Options;

namespace Qaic;

/// <summary>Options of compilation, activation and the session. Immutable; vary one with a <c>with</c> expression. Two with equal content are equal.</summary>
/// <remarks>
/// <para>Each option is declared once, here; <see cref="OptionTable"/> knows its keyword, type, range, default, compiler flag and conflicts, and OPTIONS.md lists them.</para>
/// <para>Names follow the vendor's python package. Null or an empty collection means that the option is not set; what applies then is the option's <see cref="OptionInfo.Default"/>.</para>
/// </remarks>
public sealed partial record QaicOptions
{
    /// <summary>All defaults.</summary>
    public static QaicOptions Default { get; } = new();

    // Activation.

    /// <summary>Devices on which the network runs: indices (QID), each once.</summary>
    /// <value>dev_id: list of int, 0 to 32767. Default: 0.</value>
    [Option(OptionStage.Run, "dev_id", Aliases = ["device_id", "dev_ids"], Minimum = 0, Maximum = 32767,
        Help = "Devices on which the network runs: indices (QID), each once.")]
    public ImmutableArray<int> DeviceIds { get; init; } = [0];

    /// <summary>The first device; setting it makes it the only one.</summary>
    public int DeviceId
    {
        get => DeviceIds[0];
        init => DeviceIds = [value];
    }

    /// <summary>Instances of the network that are active on a device at once. Cores times activations must not exceed the device's free cores.</summary>
    /// <value>num_activations: int, 1 to 64. Default: 1.</value>
    [Option(OptionStage.Run, "num_activations", Aliases = ["num_activation"], Minimum = 1, Maximum = 64,
        Help = "Instances of the network that are active on a device at once. Cores times activations must not exceed the device's free cores.")]
    public int NumActivations { get; init; } = 1;

    /// <summary>Inferences in flight per activation. The default is enough to hide the hand-over between host and device. The vendor's runner has 10.</summary>
    /// <value>set_size: int, 1 to 1024. Default: 4.</value>
    [Option(OptionStage.Run, "set_size", Minimum = 1, Maximum = 1024,
        Help = "Inferences in flight per activation. The default is enough to hide the hand-over between host and device. The vendor's runner has 10.")]
    public int SetSize { get; init; } = 4;

    // Session.

    /// <summary>Where the network runs: on a card if one is ready, else simulated (auto); on a card or not at all (aic); on the simulated card (sim).</summary>
    /// <value>backend: str, auto | aic | sim. Default: auto.</value>
    [Option(OptionStage.Session, "backend",
        Help = "Where the network runs: on a card if one is ready, else simulated (auto); on a card or not at all (aic); on the simulated card (sim).")]
    public QaicBackend Backend { get; init; }

    /// <summary>Record the latency of each inference.</summary>
    /// <value>enable_metrics: bool. Default: false.</value>
    [Option(OptionStage.Session, "enable_metrics",
        Help = "Record the latency of each inference.")]
    [Excludes(nameof(EnableProfiling), "profiling records the latencies as well")]
    public bool EnableMetrics { get; init; }

    /// <summary>Record the phases of each inference.</summary>
    /// <value>enable_profiling: bool. Default: false.</value>
    [Option(OptionStage.Session, "enable_profiling",
        Help = "Record the phases of each inference.")]
    public bool EnableProfiling { get; init; }

    /// <summary>Directory that receives the QPC.</summary>
    /// <value>output_dir: str. Default: the compile cache, or a temporary directory that lives as long as the session. Flag: -aic-binary-dir=&lt;directory&gt;.</value>
    [Option(OptionStage.Session, "output_dir", Flag = "aic-binary-dir", Unset = "the compile cache, or a temporary directory that lives as long as the session", File = OptionFile.Place,
        Help = "Directory that receives the QPC.")]
    public string? OutputDirectory { get; init; }

    /// <summary>Keep compiled networks and find them again.</summary>
    /// <value>use_cache: bool. Default: true.</value>
    [Option(OptionStage.Session, "use_cache",
        Help = "Keep compiled networks and find them again.")]
    public bool UseCache { get; init; } = true;

    /// <summary>Directory of the compile cache.</summary>
    /// <value>cache_dir: str. Default: QAIC_CACHE_DIR, else the user's cache directory.</value>
    [Option(OptionStage.Session, "cache_dir", Unset = "QAIC_CACHE_DIR, else the user's cache directory", File = OptionFile.Place,
        Help = "Directory of the compile cache.")]
    public string? CacheDirectory { get; init; }

    /// <summary>Size that the compile cache is held to, in MiB.</summary>
    /// <value>cache_limit_mib: int, 1 or more. Default: 16384.</value>
    [Option(OptionStage.Session, "cache_limit_mib", Minimum = 1,
        Help = "Size that the compile cache is held to, in MiB.")]
    public int CacheLimitMiB { get; init; } = 16384;

    /// <summary>Path of the vendor's compiler.</summary>
    /// <value>compiler_path: str. Default: QAIC_COMPILER, else where the SDK puts it, else found on PATH.</value>
    [Option(OptionStage.Session, "compiler_path", Unset = "QAIC_COMPILER, else where the SDK puts it, else found on PATH", File = OptionFile.Place,
        Help = "Path of the vendor's compiler.")]
    public string? CompilerPath { get; init; }

    /// <summary>Seconds that a compilation may take.</summary>
    /// <value>compile_timeout: int, 1 to 4000000. Default: no limit.</value>
    [Option(OptionStage.Session, "compile_timeout", Minimum = 1, Maximum = 4_000_000, Unset = "no limit",
        Help = "Seconds that a compilation may take.")]
    public int? CompileTimeout { get; init; }

    // Model and shapes.

    /// <summary>Rows per inference of a model whose batch dimension is free. A value for the batch symbol in <see cref="OnnxDefineSymbol"/> wins. For the card, a symbol that leads every input becomes -onnx-define-symbol, and -batchsize is for models without; sets of shapes go without either.</summary>
    /// <value>batch_size: int, 1 or more. Default: 32 on the simulated card, 1 on the card. Flag: -batchsize=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "batch_size", Flag = "batchsize", Form = OptionForm.Value, Minimum = 1, Unset = "32 on the simulated card, 1 on the card", IsSimulated = true,
        Help = "Rows per inference of a model whose batch dimension is free. A value for the batch symbol in onnx_define_symbol wins. For the card, a symbol that leads every input becomes -onnx-define-symbol, and -batchsize is for models without; sets of shapes go without either.")]
    public int? BatchSize { get; init; }

    /// <summary>Values of the model's symbolic dimensions, by symbol. A symbol that leads every input and output is the batch and needs none; see <see cref="BatchSize"/>.</summary>
    /// <value>onnx_define_symbol: map of str to int, 1 or more. Default: none. Flag: -onnx-define-symbol=symbol,value ….</value>
    [Option(OptionStage.Compile, "onnx_define_symbol", Flag = "onnx-define-symbol", Form = OptionForm.Repeated, Minimum = 1, Unset = "none", IsSimulated = true,
        Help = "Values of the model's symbolic dimensions, by symbol. A symbol that leads every input and output is the batch and needs none; see batch_size.")]
    public ImmutableDictionary<string, int> OnnxDefineSymbol { get; init; } = ImmutableDictionary<string, int>.Empty;

    /// <summary>JSON file with the shapes that one QPC serves, by symbol.</summary>
    /// <value>network_specialization_config: str. Default: none. Flag: -network-specialization-config=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "network_specialization_config", Flag = "network-specialization-config", Form = OptionForm.Value, Unset = "none", File = OptionFile.Input, IsSimulated = true,
        Help = "JSON file with the shapes that one QPC serves, by symbol.")]
    [Excludes(nameof(Specializations), "both say which shapes the QPC serves")]
    [Excludes(nameof(DynamicShapeInput), "shapes are either listed or left open")]
    public string? NetworkSpecializationConfig { get; init; }

    /// <summary>The same as <see cref="NetworkSpecializationConfig"/> without a file: for each shape set the value of every symbol.</summary>
    /// <value>specializations: list of map of str to int, 1 or more. Default: none.</value>
    [Option(OptionStage.Compile, "specializations", Minimum = 1, Unset = "none", IsSimulated = true,
        Help = "The same as network_specialization_config without a file: for each shape set the value of every symbol.")]
    [Excludes(nameof(DynamicShapeInput), "shapes are either listed or left open")]
    public ImmutableArray<ImmutableDictionary<string, int>> Specializations { get; init; } = [];

    /// <summary>Inputs whose shape the compiler leaves open, by name.</summary>
    /// <value>dynamic_shape_input: list of str. Default: none. Flag: -dynamic-shape-input=a,b.</value>
    [Option(OptionStage.Compile, "dynamic_shape_input", Flag = "dynamic-shape-input", Form = OptionForm.Joined, IsFlagInferred = true, Unset = "none",
        Help = "Inputs whose shape the compiler leaves open, by name.")]
    public ImmutableArray<string> DynamicShapeInput { get; init; } = [];

    /// <summary>Outputs in the order of the model. TensorFlow models need it.</summary>
    /// <value>output_node_names: list of str. Default: the model's. Flag: -output-node-name=a -output-node-name=b.</value>
    [Option(OptionStage.Compile, "output_node_names", Flag = "output-node-name", Form = OptionForm.Repeated, Unset = "the model's",
        Help = "Outputs in the order of the model. TensorFlow models need it.")]
    public ImmutableArray<string> OutputNodeNames { get; init; } = [];

    /// <summary>Name, type and shape of the inputs. TorchScript models need it.</summary>
    /// <value>model_inputs: list of dict. Default: the model's. Flag: -model-input=a -model-input=b.</value>
    [Option(OptionStage.Compile, "model_inputs", Flag = "model-input", Form = OptionForm.Repeated, IsFlagInferred = true, Unset = "the model's",
        Help = "Name, type and shape of the inputs. TorchScript models need it.")]
    public ImmutableArray<ModelInput> ModelInputs { get; init; } = [];

    /// <summary>YAML file with the precision of inputs and outputs in the host's buffers.</summary>
    /// <value>custom_io_list_file: str. Default: the model's types. Flag: -custom-IO-list-file=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "custom_io_list_file", Flag = "custom-IO-list-file", Form = OptionForm.Value, Unset = "the model's types", File = OptionFile.Input, IsSimulated = true,
        Help = "YAML file with the precision of inputs and outputs in the host's buffers.")]
    public string? CustomIoListFile { get; init; }

    /// <summary>File that receives a template for <see cref="CustomIoListFile"/>.</summary>
    /// <value>dump_custom_io_config_template_file: str. Default: none. Flag: -dump-custom-IO-config-template=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "dump_custom_io_config_template_file", Flag = "dump-custom-IO-config-template", Form = OptionForm.Value, Unset = "none", File = OptionFile.Output, IsSimulated = true,
        Help = "File that receives a template for custom_io_list_file.")]
    public string? DumpCustomIoConfigTemplateFile { get; init; }

    /// <summary>Expand the model's local functions.</summary>
    /// <value>always_expand_onnx_functions: bool. Default: false. Flag: -always-expand-onnx-functions.</value>
    [Option(OptionStage.Compile, "always_expand_onnx_functions", Flag = "always-expand-onnx-functions", Form = OptionForm.Switch, IsFlagInferred = true,
        Help = "Expand the model's local functions.")]
    [Excludes(nameof(SubFunctions), "functions are either expanded or kept")]
    public bool AlwaysExpandOnnxFunctions { get; init; }

    /// <summary>Keep the model's local functions as functions; large language models compile faster.</summary>
    /// <value>sub_functions: bool. Default: false. Flag: -sub-functions.</value>
    [Option(OptionStage.Compile, "sub_functions", Flag = "sub-functions", Form = OptionForm.Switch,
        Help = "Keep the model's local functions as functions; large language models compile faster.")]
    public bool SubFunctions { get; init; }

    /// <summary>YAML files that describe operators of one's own.</summary>
    /// <value>register_custom_op: list of str. Default: none. Flag: -register-custom-op=a -register-custom-op=b.</value>
    [Option(OptionStage.Compile, "register_custom_op", Aliases = ["register_custom_ops"], Flag = "register-custom-op", Form = OptionForm.Repeated, Unset = "none", File = OptionFile.Input,
        Help = "YAML files that describe operators of one's own.")]
    public ImmutableArray<string> RegisterCustomOps { get; init; } = [];

    /// <summary>Zip file with embedding tables, for recommendation models.</summary>
    /// <value>load_embedding_tables: str. Default: none. Flag: -load-embedding-tables=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "load_embedding_tables", Flag = "load-embedding-tables", Form = OptionForm.Value, IsFlagInferred = true, Unset = "none", File = OptionFile.Input,
        Help = "Zip file with embedding tables, for recommendation models.")]
    public string? LoadEmbeddingTables { get; init; }

    /// <summary>Zip file that receives the embedding tables of a PyTorch model.</summary>
    /// <value>dump_embedding_tables: str. Default: none. Flag: -dump-embedding-tables=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "dump_embedding_tables", Flag = "dump-embedding-tables", Form = OptionForm.Value, IsFlagInferred = true, Unset = "none", File = OptionFile.Output,
        Help = "Zip file that receives the embedding tables of a PyTorch model.")]
    public string? DumpEmbeddingTables { get; init; }

    /// <summary>Keep the outputs X_RetainedState on the device, where they feed the inputs X of the next inference.</summary>
    /// <value>retained_state: bool. Default: false. Flag: -retained-state.</value>
    [Option(OptionStage.Compile, "retained_state", Flag = "retained-state", Form = OptionForm.Switch,
        Help = "Keep the outputs X_RetainedState on the device, where they feed the inputs X of the next inference.")]
    public bool RetainedState { get; init; }

    // Precision.

    /// <summary>Compute in FP16. Without it and without quantization the network runs in FP32, and slowly.</summary>
    /// <value>convert_to_fp16: bool. Default: false. Flag: -convert-to-fp16.</value>
    [Option(OptionStage.Compile, "convert_to_fp16", Flag = "convert-to-fp16", Form = OptionForm.Switch, IsSimulated = true,
        Help = "Compute in FP16. Without it and without quantization the network runs in FP32, and slowly.")]
    [Excludes(nameof(LoadProfile), "a network is compiled for FP16 or quantized")]
    [Excludes(nameof(DumpProfile), "a network is compiled for FP16 or quantized")]
    [Excludes(nameof(ConvertToQuantize), "a network is compiled for FP16 or quantized")]
    [Excludes(nameof(ExternalQuantizationFile), "a network is compiled for FP16 or quantized")]
    public bool ConvertToFp16 { get; init; }

    /// <summary>Store the weights of matrix products as MXFP6 and compute in FP16; for use with <see cref="ConvertToFp16"/>.</summary>
    /// <value>mxfp6_matmul: bool. Default: false. Flag: -mxfp6-matmul.</value>
    [Option(OptionStage.Compile, "mxfp6_matmul", Flag = "mxfp6-matmul", Form = OptionForm.Switch,
        Help = "Store the weights of matrix products as MXFP6 and compute in FP16; for use with convert_to_fp16.")]
    public bool MxFp6MatMul { get; init; }

    /// <summary>Operators that run in FP16 in a quantized network, by ONNX type.</summary>
    /// <value>execute_nodes_in_fp16: list of str. Default: none. Flag: -execute-nodes-in-fp16=a,b.</value>
    [Option(OptionStage.Compile, "execute_nodes_in_fp16", Flag = "execute-nodes-in-fp16", Form = OptionForm.Joined, Unset = "none", IsSimulated = true,
        Help = "Operators that run in FP16 in a quantized network, by ONNX type.")]
    public ImmutableArray<string> ExecuteNodesInFp16 { get; init; } = [];

    /// <summary>Operators that keep the model's precision in a quantized network, by ONNX type.</summary>
    /// <value>keep_original_precision_for_nodes: list of str. Default: none. Flag: -keep-original-precision-for-nodes=a,b.</value>
    [Option(OptionStage.Compile, "keep_original_precision_for_nodes", Flag = "keep-original-precision-for-nodes", Form = OptionForm.Joined, Unset = "none", IsSimulated = true,
        Help = "Operators that keep the model's precision in a quantized network, by ONNX type.")]
    public ImmutableArray<string> KeepOriginalPrecisionForNodes { get; init; } = [];

    /// <summary>YAML file with the nodes that run in FP16 or FP32, by their first output. A profile is dumped and loaded with the same file.</summary>
    /// <value>node_precision_info_file: str. Default: none. Flag: -node-precision-info=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "node_precision_info_file", Flag = "node-precision-info", Form = OptionForm.Value, Unset = "none", File = OptionFile.Input, IsSimulated = true,
        Help = "YAML file with the nodes that run in FP16 or FP32, by their first output. A profile is dumped and loaded with the same file.")]
    public string? NodePrecisionInfoFile { get; init; }

    /// <summary>On the simulated card: round every activation of an FP16 network, not only weights, inputs and outputs. Slower, and shows overflow.</summary>
    /// <value>simulate_fp16_activations: bool. Default: false.</value>
    [Option(OptionStage.Compile, "simulate_fp16_activations", IsSimulated = true,
        Help = "On the simulated card: round every activation of an FP16 network, not only weights, inputs and outputs. Slower, and shows overflow.")]
    public bool SimulateFp16Activations { get; init; }

    // Quantization.

    /// <summary>On the simulated card: compute a quantized network with float kernels on rounded numbers, where integer kernels are slow or missing. Results agree up to one step.</summary>
    /// <value>simulate_fake_quantization: bool. Default: false.</value>
    [Option(OptionStage.Compile, "simulate_fake_quantization", IsSimulated = true,
        Help = "On the simulated card: compute a quantized network with float kernels on rounded numbers, where integer kernels are slow or missing. Results agree up to one step.")]
    public bool SimulateFakeQuantization { get; init; }

    /// <summary>File that receives the network as the simulated card runs it: ONNX with QuantizeLinear and DequantizeLinear, for other runtimes.</summary>
    /// <value>dump_quantized_model: str. Default: none.</value>
    [Option(OptionStage.Compile, "dump_quantized_model", Unset = "none", File = OptionFile.Output, IsSimulated = true,
        Help = "File that receives the network as the simulated card runs it: ONNX with QuantizeLinear and DequantizeLinear, for other runtimes.")]
    public string? DumpQuantizedModel { get; init; }

    /// <summary>Profile with the data of <see cref="InputListFile"/> (random data without it) and quantize, in one go.</summary>
    /// <value>convert_to_quantize: bool. Default: false. Flag: -convert-to-quantize.</value>
    [Option(OptionStage.Compile, "convert_to_quantize", Flag = "convert-to-quantize", Form = OptionForm.Switch, IsSimulated = true,
        Help = "Profile with the data of input_list_file (random data without it) and quantize, in one go.")]
    [Excludes(nameof(DumpProfile), "a network is quantized from one source")]
    [Excludes(nameof(LoadProfile), "a network is quantized from one source")]
    public bool ConvertToQuantize { get; init; }

    /// <summary>Profile with the data of <see cref="InputListFile"/>, write the profile to this YAML file, then compile with it.</summary>
    /// <value>dump_profile: str. Default: none. Flag: -dump-profile=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "dump_profile", Flag = "dump-profile", Form = OptionForm.Value, Unset = "none", File = OptionFile.Output, IsSimulated = true,
        Help = "Profile with the data of input_list_file, write the profile to this YAML file, then compile with it.")]
    [Excludes(nameof(LoadProfile), "a profile is either made or used")]
    public string? DumpProfile { get; init; }

    /// <summary>Quantize with this profile, made by <see cref="DumpProfile"/> from the same model, batch size and <see cref="NodePrecisionInfoFile"/>.</summary>
    /// <value>load_profile: str. Default: none. Flag: -load-profile=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "load_profile", Flag = "load-profile", Form = OptionForm.Value, Unset = "none", File = OptionFile.Input, IsSimulated = true,
        Help = "Quantize with this profile, made by dump_profile from the same model, batch size and node_precision_info_file.")]
    public string? LoadProfile { get; init; }

    /// <summary>Quantize with the encodings in this file (AIMET).</summary>
    /// <value>external_quantization_file: str. Default: none. Flag: -external-quantization=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "external_quantization_file", Flag = "external-quantization", Form = OptionForm.Value, IsFlagInferred = true, Unset = "none", File = OptionFile.Input, IsSimulated = true,
        Help = "Quantize with the encodings in this file (AIMET).")]
    [Excludes(nameof(LoadProfile), "the encodings replace the profile")]
    [Excludes(nameof(DumpProfile), "the encodings replace the profile")]
    [Excludes(nameof(ConvertToQuantize), "the encodings replace the profile")]
    public string? ExternalQuantizationFile { get; init; }

    /// <summary>Text file with the data to profile with: per line one inference, the raw files of its inputs in the model's order, separated by commas.</summary>
    /// <value>input_list_file: str. Default: none. Flag: -input-list-file=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "input_list_file", Flag = "input-list-file", Form = OptionForm.Value, Unset = "none", File = OptionFile.Input, IsSimulated = true,
        Help = "Text file with the data to profile with: per line one inference, the raw files of its inputs in the model's order, separated by commas.")]
    public string? InputListFile { get; init; }

    /// <summary>Schema for activations and constants alike; the older form.</summary>
    /// <value>quantization_schema: str, asymmetric | symmetric | symmetric_with_uint8 | symmetric_with_power2_scale. Default: the compiler's. Flag: -quantization-schema=&lt;choice&gt;.</value>
    [Option(OptionStage.Compile, "quantization_schema", Flag = "quantization-schema", Form = OptionForm.Value, Unset = "the compiler's", IsSimulated = true,
        Help = "Schema for activations and constants alike; the older form.")]
    [Excludes(nameof(QuantizationSchemaActivations), "it stands for activations and constants")]
    [Excludes(nameof(QuantizationSchemaConstants), "it stands for activations and constants")]
    public QuantizationSchema? QuantizationSchema { get; init; }

    /// <summary>Schema for activations.</summary>
    /// <value>quantization_schema_activations: str, asymmetric | symmetric | symmetric_with_uint8 | symmetric_with_power2_scale. Default: symmetric_with_uint8 (the compiler's). Flag: -quantization-schema-activations=&lt;choice&gt;.</value>
    [Option(OptionStage.Compile, "quantization_schema_activations", Flag = "quantization-schema-activations", Form = OptionForm.Value, Unset = "symmetric_with_uint8 (the compiler's)", IsSimulated = true,
        Help = "Schema for activations.")]
    public QuantizationSchema? QuantizationSchemaActivations { get; init; }

    /// <summary>Schema for weights and other constants.</summary>
    /// <value>quantization_schema_constants: str, asymmetric | symmetric | symmetric_with_uint8 | symmetric_with_power2_scale. Default: symmetric_with_uint8 (the compiler's). Flag: -quantization-schema-constants=&lt;choice&gt;.</value>
    [Option(OptionStage.Compile, "quantization_schema_constants", Flag = "quantization-schema-constants", Form = OptionForm.Value, Unset = "symmetric_with_uint8 (the compiler's)", IsSimulated = true,
        Help = "Schema for weights and other constants.")]
    public QuantizationSchema? QuantizationSchemaConstants { get; init; }

    /// <summary>How ranges are chosen from a profile. None takes the smallest and largest value.</summary>
    /// <value>quantization_calibration: str, None | KLMinimization | KLMinimizationV2 | Percentile | MSE | SQNR | auto. Default: None (the compiler's). Flag: -quantization-calibration=&lt;choice&gt;.</value>
    [Option(OptionStage.Compile, "quantization_calibration", Flag = "quantization-calibration", Form = OptionForm.Value, Unset = "None (the compiler's)", IsSimulated = true,
        Help = "How ranges are chosen from a profile. None takes the smallest and largest value.")]
    public QuantizationCalibration? QuantizationCalibration { get; init; }

    /// <summary>Percentage of the values that a range covers, for <see cref="QuantizationCalibration"/> Percentile. Even 100 may clip the last bin of the histogram.</summary>
    /// <value>percentile_calibration_value: float, 90 to 100. Default: 100 (the compiler's). Flag: -percentile-calibration-value=&lt;float&gt;.</value>
    [Option(OptionStage.Compile, "percentile_calibration_value", Flag = "percentile-calibration-value", Form = OptionForm.Value, Minimum = 90, Maximum = 100, Unset = "100 (the compiler's)", IsSimulated = true,
        Help = "Percentage of the values that a range covers, for quantization_calibration Percentile. Even 100 may clip the last bin of the histogram.")]
    public decimal? PercentileCalibrationValue { get; init; }

    /// <summary>Bins of each histogram while profiling. KLMinimization needs 255; calibration takes long with thousands.</summary>
    /// <value>num_histogram_bins: int, 1 to 8192. Default: 512 (the compiler's). Flag: -num-histogram-bins=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "num_histogram_bins", Flag = "num-histogram-bins", Form = OptionForm.Value, Minimum = 1, Maximum = 8192, Unset = "512 (the compiler's)", IsSimulated = true,
        Help = "Bins of each histogram while profiling. KLMinimization needs 255; calibration takes long with thousands.")]
    public int? NumHistogramBins { get; init; }

    /// <summary>Type of quantized activations and weights.</summary>
    /// <value>quantization_precision: str, Int8 | Int16. Default: Int8 (the compiler's). Flag: -quantization-precision=&lt;choice&gt;.</value>
    [Option(OptionStage.Compile, "quantization_precision", Flag = "quantization-precision", Form = OptionForm.Value, Unset = "Int8 (the compiler's)", IsSimulated = true,
        Help = "Type of quantized activations and weights.")]
    public QuantizationPrecision? QuantizationPrecision { get; init; }

    /// <summary>Type of quantized biases. Set it: the vendor's pages name different defaults.</summary>
    /// <value>quantization_precision_bias: str, Int8 | Int32. Default: Int32 or Int8 (the compiler's). Flag: -quantization-precision-bias=&lt;choice&gt;.</value>
    [Option(OptionStage.Compile, "quantization_precision_bias", Flag = "quantization-precision-bias", Form = OptionForm.Value, Unset = "Int32 or Int8 (the compiler's)", IsSimulated = true,
        Help = "Type of quantized biases. Set it: the vendor's pages name different defaults.")]
    public BiasPrecision? QuantizationPrecisionBias { get; init; }

    /// <summary>Quantize FullyConnected and SparseLengthsSum per row.</summary>
    /// <value>enable_rowwise: bool. Default: false. Flag: -enable-rowwise.</value>
    [Option(OptionStage.Compile, "enable_rowwise", Flag = "enable-rowwise", Form = OptionForm.Switch, IsSimulated = true,
        Help = "Quantize FullyConnected and SparseLengthsSum per row.")]
    public bool EnableRowwise { get; init; }

    /// <summary>Quantize the weights of convolutions per channel.</summary>
    /// <value>enable_channelwise: bool. Default: false. Flag: -enable-channelwise.</value>
    [Option(OptionStage.Compile, "enable_channelwise", Flag = "enable-channelwise", Form = OptionForm.Switch, IsSimulated = true,
        Help = "Quantize the weights of convolutions per channel.")]
    public bool EnableChannelwise { get; init; }

    /// <summary>Threads that profile.</summary>
    /// <value>profiling_threads: int, 1 or more. Default: 1 (the compiler's). Flag: -profiling-threads=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "profiling_threads", Flag = "profiling-threads", Form = OptionForm.Value, Minimum = 1, Unset = "1 (the compiler's)", IsSimulated = true,
        Help = "Threads that profile.")]
    public int? ProfilingThreads { get; init; }

    // Cores, memory, partitioning.

    /// <summary>AI cores that one activation occupies. Divisors of the device's core count pack best.</summary>
    /// <value>aic_num_cores: int, 1 to 16. Default: 1. Flag: -aic-num-cores=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "aic_num_cores", Aliases = ["num_cores"], Flag = "aic-num-cores", Form = OptionForm.Value, Minimum = 1, Maximum = 16, Unset = "1", IsSimulated = true,
        Help = "AI cores that one activation occupies. Divisors of the device's core count pack best.")]
    public int? NumCores { get; init; }

    /// <summary>Effort to reduce the use of on-chip memory: ways to split output channels; with <see cref="SdpClusterSizes"/> one per cluster.</summary>
    /// <value>mos: list of int, 1 to 16. Default: the compiler's. Flag: -mos=a,b.</value>
    [Option(OptionStage.Compile, "mos", Flag = "mos", Form = OptionForm.Joined, Minimum = 1, Maximum = 16, Unset = "the compiler's",
        Help = "Effort to reduce the use of on-chip memory: ways to split output channels; with sdp_cluster_sizes one per cluster.")]
    public ImmutableArray<int> Mos { get; init; } = [];

    /// <summary>Factor by which operations are split to run in parallel.</summary>
    /// <value>ols: int, 1 to 16. Default: the compiler's. Flag: -ols=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "ols", Flag = "ols", Form = OptionForm.Value, Minimum = 1, Maximum = 16, Unset = "the compiler's",
        Help = "Factor by which operations are split to run in parallel.")]
    public int? Ols { get; init; }

    /// <summary>The same as <see cref="Mos"/> for a network sliced over several devices.</summary>
    /// <value>mdts_mos: int, 1 to 16. Default: the compiler's. Flag: -mdts-mos=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "mdts_mos", Flag = "mdts-mos", Form = OptionForm.Value, Minimum = 1, Maximum = 16, Unset = "the compiler's",
        Help = "The same as mos for a network sliced over several devices.")]
    public int? MdtsMos { get; init; }

    /// <summary>How much longer buffers live, which removes false dependencies.</summary>
    /// <value>allocator_dealloc_delay: int, 0 to 10. Default: the compiler's. Flag: -allocator-dealloc-delay=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "allocator_dealloc_delay", Aliases = ["allocator_dealloac_delay"], Flag = "allocator-dealloc-delay", Form = OptionForm.Value, Minimum = 0, Maximum = 10, Unset = "the compiler's",
        Help = "How much longer buffers live, which removes false dependencies.")]
    public int? AllocatorDeallocDelay { get; init; }

    /// <summary>Largest tile of an operation that does not fit into fast memory, in KiB.</summary>
    /// <value>size_split_granularity: int, 512 to 2048. Default: the compiler's. Flag: -size-split-granularity=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "size_split_granularity", Flag = "size-split-granularity", Form = OptionForm.Value, Minimum = 512, Maximum = 2048, Unset = "the compiler's",
        Help = "Largest tile of an operation that does not fit into fast memory, in KiB.")]
    public int? SizeSplitGranularity { get; init; }

    /// <summary>Share of the fast memory that one instruction may use.</summary>
    /// <value>vtcm_working_set_limit_ratio: float, 0 to 1. Default: the compiler's. Flag: -vtcm-working-set-limit-ratio=&lt;float&gt;.</value>
    [Option(OptionStage.Compile, "vtcm_working_set_limit_ratio", Flag = "vtcm-working-set-limit-ratio", Form = OptionForm.Value, Minimum = 0, Maximum = 1, Unset = "the compiler's",
        Help = "Share of the fast memory that one instruction may use.")]
    public decimal? VtcmWorkingSetLimitRatio { get; init; }

    /// <summary>Schedule depth first, with the default memory size.</summary>
    /// <value>aic_enable_depth_first: bool. Default: false. Flag: -aic-enable-depth-first.</value>
    [Option(OptionStage.Compile, "aic_enable_depth_first", Aliases = ["enable_depth_first"], Flag = "aic-enable-depth-first", Form = OptionForm.Switch,
        Help = "Schedule depth first, with the default memory size.")]
    public bool EnableDepthFirst { get; init; }

    /// <summary>Memory for depth-first scheduling, as the compiler counts it.</summary>
    /// <value>aic_depth_first_mem: int, 8 to 32. Default: the compiler's. Flag: -aic-depth-first-mem=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "aic_depth_first_mem", Flag = "aic-depth-first-mem", Form = OptionForm.Value, Minimum = 8, Maximum = 32, Unset = "the compiler's",
        Help = "Memory for depth-first scheduling, as the compiler counts it.")]
    [Requires(nameof(EnableDepthFirst), "it sizes the memory of depth-first scheduling")]
    public int? DepthFirstMem { get; init; }

    /// <summary>Partition the network over clusters of cores of one device: cores per cluster, in sum at most <see cref="NumCores"/>.</summary>
    /// <value>sdp_cluster_sizes: list of int, 1 to 16. Default: none. Flag: -sdp-cluster-sizes=a,b.</value>
    [Option(OptionStage.Compile, "sdp_cluster_sizes", Flag = "sdp-cluster-sizes", Form = OptionForm.Joined, Minimum = 1, Maximum = 16, Unset = "none",
        Help = "Partition the network over clusters of cores of one device: cores per cluster, in sum at most aic_num_cores.")]
    [Excludes(nameof(EnableDepthFirst), "single-device partitioning does not go with it")]
    [Excludes(nameof(MdpLoadPartitionConfig), "single-device partitioning does not go with it")]
    [Excludes(nameof(MdpDumpPartitionConfig), "single-device partitioning does not go with it")]
    [Excludes(nameof(StatsLevel), "the legacy levels 40 to 60 do not know clusters", Minimum = 40, Maximum = 60)]
    public ImmutableArray<int> SdpClusterSizes { get; init; } = [];

    /// <summary>Load weights that several cores use once and send them to all; from 2 cores up.</summary>
    /// <value>multicast_weights: bool. Default: false. Flag: -multicast-weights.</value>
    [Option(OptionStage.Compile, "multicast_weights", Flag = "multicast-weights", Form = OptionForm.Switch,
        Help = "Load weights that several cores use once and send them to all; from 2 cores up.")]
    public bool MulticastWeights { get; init; }

    /// <summary>Start a transfer from the thread that made the data.</summary>
    /// <value>use_producer_dma: bool. Default: the compiler's. Flag: -use-producer-dma=1|0.</value>
    [Option(OptionStage.Compile, "use_producer_dma", Flag = "use-producer-dma", Form = OptionForm.OneZero, Unset = "the compiler's",
        Help = "Start a transfer from the thread that made the data.")]
    public bool? UseProducerDma { get; init; }

    /// <summary>Combine inputs into fewer buffers for the transfer to the device.</summary>
    /// <value>combine_inputs: bool. Default: true (the compiler's). Flag: -combine-inputs=true|false.</value>
    [Option(OptionStage.Compile, "combine_inputs", Flag = "combine-inputs", Form = OptionForm.TrueFalse, Unset = "true (the compiler's)",
        Help = "Combine inputs into fewer buffers for the transfer to the device.")]
    public bool? CombineInputs { get; init; }

    /// <summary>Combine outputs into one buffer for the transfer to the host.</summary>
    /// <value>combine_outputs: bool. Default: true (the compiler's). Flag: -combine-outputs=true|false.</value>
    [Option(OptionStage.Compile, "combine_outputs", Flag = "combine-outputs", Form = OptionForm.TrueFalse, Unset = "true (the compiler's)",
        Help = "Combine outputs into one buffer for the transfer to the host.")]
    public bool? CombineOutputs { get; init; }

    /// <summary>Do all pre- and post-processing on the host.</summary>
    /// <value>host_preproc: bool. Default: false. Flag: -host-preproc.</value>
    [Option(OptionStage.Compile, "host_preproc", Flag = "host-preproc", Form = OptionForm.Switch, IsFlagInferred = true,
        Help = "Do all pre- and post-processing on the host.")]
    [Excludes(nameof(AicPreproc), "pre- and post-processing is done in one place")]
    public bool HostPreproc { get; init; }

    /// <summary>Do all pre- and post-processing on the device.</summary>
    /// <value>aic_preproc: bool. Default: false. Flag: -aic-preproc.</value>
    [Option(OptionStage.Compile, "aic_preproc", Flag = "aic-preproc", Form = OptionForm.Switch,
        Help = "Do all pre- and post-processing on the device.")]
    public bool AicPreproc { get; init; }

    /// <summary>JSON file that partitions the network over devices.</summary>
    /// <value>mdp_load_partition_config: str. Default: none. Flag: -mdp-load-partition-config=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "mdp_load_partition_config", Flag = "mdp-load-partition-config", Form = OptionForm.Value, Unset = "none", File = OptionFile.Input,
        Help = "JSON file that partitions the network over devices.")]
    public string? MdpLoadPartitionConfig { get; init; }

    /// <summary>JSON file that receives the partitioning.</summary>
    /// <value>mdp_dump_partition_config: str. Default: none. Flag: -mdp-dump-partition-config=&lt;file&gt;.</value>
    [Option(OptionStage.Compile, "mdp_dump_partition_config", Flag = "mdp-dump-partition-config", Form = OptionForm.Value, Unset = "none", File = OptionFile.Output,
        Help = "JSON file that receives the partitioning.")]
    public string? MdpDumpPartitionConfig { get; init; }

    /// <summary>Compress the traffic between devices to MXINT8.</summary>
    /// <value>allow_mxint8_mdp_io: bool. Default: false. Flag: -allow-mxint8-mdp-io.</value>
    [Option(OptionStage.Compile, "allow_mxint8_mdp_io", Flag = "allow-mxint8-mdp-io", Form = OptionForm.Switch,
        Help = "Compress the traffic between devices to MXINT8.")]
    public bool AllowMxInt8MdpIo { get; init; }

    /// <summary>Instances, as qaic-exec counts them where it runs what it has compiled; public recipes give it to compilations as well.</summary>
    /// <value>aic_num_of_instances: int, 1 or more. Default: the compiler's. Flag: -aic-num-of-instances=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "aic_num_of_instances", Flag = "aic-num-of-instances", Form = OptionForm.Value, Minimum = 1, Unset = "the compiler's",
        Help = "Instances, as qaic-exec counts them where it runs what it has compiled; public recipes give it to compilations as well.")]
    public int? NumOfInstances { get; init; }

    /// <summary>Hardware to compile for: ai100, ai200, or 2.0 in the older spelling.</summary>
    /// <value>aic_hw_version: str. Default: ai100 where the compiler knows that name, else 2.0. Flag: -aic-hw-version=&lt;text&gt;.</value>
    [Option(OptionStage.Compile, "aic_hw_version", Flag = "aic-hw-version", Unset = "ai100 where the compiler knows that name, else 2.0",
        Help = "Hardware to compile for: ai100, ai200, or 2.0 in the older spelling.")]
    public string? HardwareVersion { get; init; }

    // Diagnosis.

    /// <summary>Threads that compile.</summary>
    /// <value>compile_threads: int, 1 or more. Default: the compiler's. Flag: -compile-threads=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "compile_threads", Flag = "compile-threads", Form = OptionForm.Value, Minimum = 1, Unset = "the compiler's",
        Help = "Threads that compile.")]
    public int? CompileThreads { get; init; }

    /// <summary>Batch size by which performance figures are normalized to be per row.</summary>
    /// <value>stats_batchsize: int, 1 or more. Default: 1 (the compiler's). Flag: -stats-batchsize=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "stats_batchsize", Aliases = ["stats_batch_size"], Flag = "stats-batchsize", Form = OptionForm.Value, Minimum = 1, Unset = "1 (the compiler's)",
        Help = "Batch size by which performance figures are normalized to be per row.")]
    public int? StatsBatchSize { get; init; }

    /// <summary>Detail of the device's statistics: 40 inferences, 50 port waits, 70 operators, 100 extended counters.</summary>
    /// <value>stats_level: int, 0 to 100. Default: 40 (the compiler's). Flag: -stats-level=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "stats_level", Flag = "stats-level", Form = OptionForm.Value, Minimum = 0, Maximum = 100, Unset = "40 (the compiler's)",
        Help = "Detail of the device's statistics: 40 inferences, 50 port waits, 70 operators, 100 extended counters.")]
    public int? StatsLevel { get; init; }

    /// <summary>What the network reports when it is profiled.</summary>
    /// <value>aic_profiling_type: list of str, stats | trace | latency. Default: none. Flag: -aic-profiling-type=a -aic-profiling-type=b.</value>
    [Option(OptionStage.Compile, "aic_profiling_type", Aliases = ["aic_profiling_types"], Flag = "aic-profiling-type", Form = OptionForm.Repeated, Unset = "none",
        Help = "What the network reports when it is profiled.")]
    public ImmutableArray<ProfilingType> ProfilingTypes { get; init; } = [];

    /// <summary>Choice of performance counters by recipe.</summary>
    /// <value>aic_pmu_recipe: str, AxiRd | AxiWr | AxiRdWr | KernelUtil | HmxMacs. Default: none. Flag: -aic-pmu-recipe=&lt;choice&gt;.</value>
    [Option(OptionStage.Compile, "aic_pmu_recipe", Flag = "aic-pmu-recipe", Form = OptionForm.Value, Unset = "none",
        Help = "Choice of performance counters by recipe.")]
    [Excludes(nameof(PmuEvents), "counters are chosen by recipe or by event")]
    public PmuRecipe? PmuRecipe { get; init; }

    /// <summary>Choice of performance counters by event: up to 8 event numbers, separated by blanks or commas, written as they are.</summary>
    /// <value>aic_pmu_events: str. Default: none. Flag: -aic-pmu-events=&lt;text&gt;.</value>
    [Option(OptionStage.Compile, "aic_pmu_events", Flag = "aic-pmu-events", Form = OptionForm.Value, IsFlagInferred = true, Unset = "none",
        Help = "Choice of performance counters by event: up to 8 event numbers, separated by blanks or commas, written as they are.")]
    public string? PmuEvents { get; init; }

    /// <summary>Collect the memory traffic of each core; for use with <see cref="StatsLevel"/>.</summary>
    /// <value>ddr_stats: bool. Default: false. Flag: -ddr-stats.</value>
    [Option(OptionStage.Compile, "ddr_stats", Flag = "ddr-stats", Form = OptionForm.Switch,
        Help = "Collect the memory traffic of each core; for use with stats_level.")]
    public bool DdrStats { get; init; }

    /// <summary>Print performance warnings.</summary>
    /// <value>aic_perf_warnings: bool. Default: false. Flag: -aic-perf-warnings.</value>
    [Option(OptionStage.Compile, "aic_perf_warnings", Flag = "aic-perf-warnings", Form = OptionForm.Switch,
        Help = "Print performance warnings.")]
    public bool PerfWarnings { get; init; }

    /// <summary>Print the compiler's performance metrics.</summary>
    /// <value>aic_perf_metrics: bool. Default: false. Flag: -aic-perf-metrics.</value>
    [Option(OptionStage.Compile, "aic_perf_metrics", Flag = "aic-perf-metrics", Form = OptionForm.Switch,
        Help = "Print the compiler's performance metrics.")]
    public bool PerfMetrics { get; init; }

    /// <summary>Print how long the compiler's passes take.</summary>
    /// <value>time_passes: bool. Default: false. Flag: -time-passes.</value>
    [Option(OptionStage.Compile, "time_passes", Flag = "time-passes", Form = OptionForm.Switch,
        Help = "Print how long the compiler's passes take.")]
    public bool TimePasses { get; init; }

    /// <summary>Compile in debug mode.</summary>
    /// <value>enable_debug: bool. Default: false. Flag: -enable-debug.</value>
    [Option(OptionStage.Compile, "enable_debug", Flag = "enable-debug", Form = OptionForm.Switch, IsFlagInferred = true,
        Help = "Compile in debug mode.")]
    public bool EnableDebug { get; init; }

    /// <summary>Check inputs and outputs of the network by CRC.</summary>
    /// <value>io_crc: bool. Default: false. Flag: -io-crc.</value>
    [Option(OptionStage.Compile, "io_crc", Flag = "io-crc", Form = OptionForm.Switch, IsFlagInferred = true,
        Help = "Check inputs and outputs of the network by CRC.")]
    public bool IoCrc { get; init; }

    /// <summary>Stride at which the CRC of inputs and outputs is taken.</summary>
    /// <value>io_crc_stride: int, 1 or more. Default: the compiler's. Flag: -io-crc-stride=&lt;int&gt;.</value>
    [Option(OptionStage.Compile, "io_crc_stride", Flag = "io-crc-stride", Form = OptionForm.Value, IsFlagInferred = true, Minimum = 1, Unset = "the compiler's",
        Help = "Stride at which the CRC of inputs and outputs is taken.")]
    [Requires(nameof(IoCrc), "it sets the stride of that check")]
    public int? IoCrcStride { get; init; }

    /// <summary>Write a CRC of each segment into the QPC.</summary>
    /// <value>qpc_crc: bool. Default: false. Flag: -qpc-crc.</value>
    [Option(OptionStage.Compile, "qpc_crc", Flag = "qpc-crc", Form = OptionForm.Switch,
        Help = "Write a CRC of each segment into the QPC.")]
    public bool QpcCrc { get; init; }

    /// <summary>Compile for encrypted inputs and outputs; the value is passed as it is.</summary>
    /// <value>io_encrypt: str. Default: none. Flag: -io-encrypt=&lt;text&gt;.</value>
    [Option(OptionStage.Compile, "io_encrypt", Flag = "io-encrypt", Form = OptionForm.Value, IsFlagInferred = true, Unset = "none",
        Help = "Compile for encrypted inputs and outputs; the value is passed as it is.")]
    public string? IoEncrypt { get; init; }

    /// <summary>Further arguments for the vendor's compiler, as they are; for options that this table does not know.</summary>
    /// <value>compiler_args: list of str. Default: none.</value>
    [Option(OptionStage.Compile, "compiler_args", Aliases = ["compiler_arguments"], Form = OptionForm.Raw, Unset = "none",
        Help = "Further arguments for the vendor's compiler, as they are; for options that this table does not know.")]
    public ImmutableArray<string> CompilerArguments { get; init; } = [];

    /// <summary>Checks every value against its range, and the options against each other.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range; the message names the option as it is written in C# and in python.</exception>
    /// <exception cref="ArgumentException">A text is empty, an element occurs twice, or two options exclude or need each other; the message names both.</exception>
    public void Validate() => OptionRules.Validate(this);

    /// <summary>What is allowed but probably not meant, such as an option that has no effect without another; a sentence each, empty for none.</summary>
    public IReadOnlyList<string> GetWarnings() => OptionRules.Warnings(this);

    /// <summary>Whether all options have equal content, collections compared element by element.</summary>
    public bool Equals(QaicOptions? other) =>
        ReferenceEquals(this, other) || (other is not null && OptionTable.All.All(o => o.Type.Same(o.GetValue(this), o.GetValue(other))));

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (OptionInfo option in OptionTable.All)
        {
            if (option.IsSet(this))
            {
                hash.Add(option.Keyword);
                hash.Add(option.Format(this));
            }
        }

        return hash.ToHashCode();
    }

    /// <summary>The options that are set: <c>aic_num_cores=4, convert_to_fp16=true</c>.</summary>
    public override string ToString() => string.Join(", ", OptionTable.All.Where(o => o.IsSet(this)).Select(o => $"{o.Keyword}={o.Format(this)}"));
}
