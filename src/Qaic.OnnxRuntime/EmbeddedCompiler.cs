using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Accuracy;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.Options;
using Qaic.Qpc;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime;

/// <summary>Turns ONNX models into QPCs for the simulated card, in this process. They have the form of the vendor's, and hold a model instead of code.</summary>
/// <remarks>
/// <para>Thread-safe. The same model and options give the same bytes.</para>
/// <para>All dimensions become fixed: symbols get their values from <see cref="QaicOptions.OnnxDefineSymbol"/>. A free dimension that leads every input and output is the batch,
/// and becomes <see cref="QaicOptions.BatchSize"/> or 32.</para>
/// <para>Options for which <see cref="OptionInfo.IsSimulated"/> is false do not change the network; they are recorded in the QPC, and one line of the log names them.</para>
/// <para>With <see cref="QaicOptions.Specializations"/> or <see cref="QaicOptions.NetworkSpecializationConfig"/> one QPC serves several sets of shapes; the buffers have room for the largest.
/// No input is marked as partial: nothing in a model says so, only the vendor's compiler does.</para>
/// <para>With <see cref="QaicOptions.CustomIoListFile"/> the buffers have the precisions of that file, and the simulated card converts between them and the model's, as a card does.</para>
/// </remarks>
public sealed partial class EmbeddedCompiler : IProfilingCompiler
{
    internal const string CompilerName = "embedded";

    private const long LargestDmaBuffer = uint.MaxValue;
    private const int DmaAlignment = 64;

    /// <inheritdoc/>
    public string Name => CompilerName;

    /// <inheritdoc/>
    public string Version { get; } = typeof(EmbeddedCompiler).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    internal TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="OperationCanceledException">The compilation was cancelled.</exception>
    public string Compile(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);
        ArgumentException.ThrowIfNullOrEmpty(outputDirectory);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        options.Validate();
        using CancellationTokenSource? limit = options.CompileTimeout is { } seconds ? new(TimeSpan.FromSeconds(seconds), Clock) : null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit?.Token ?? CancellationToken.None);
        try
        {
            return Make(modelPath, outputDirectory, options, logger, stop.Token);
        }
        catch (OperationCanceledException e)
        {
            // With the caller's token, not the one that joins it with the time limit.
            cancellationToken.ThrowIfCancellationRequested();
            throw new CompilationException(
                $"The embedded compiler was ended: it did not compile '{modelPath}' within {options.CompileTimeout} s. Raise CompileTimeout (compile_timeout), or leave it out for no limit.", e)
            {
                Error = CompilationError.Timeout,
            };
        }
    }

    /// <inheritdoc/>
    public QuantizationProfile Profile(
        string modelPath,
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(samples);
        OnnxModel model = Profiled(modelPath, options, logger, cancellationToken);
        using ExternalData files = model.ExternalData;
        return ActivationObserver.Observe(FloatGraph.Prepare(model, cancellationToken), samples, options, logger, progress, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<QuantizationProfile> ProfileAsync(
        string modelPath,
        IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(samples);
        OnnxModel model = await Task.Run(() => Profiled(modelPath, options, logger, cancellationToken), cancellationToken).ConfigureAwait(false);
        using ExternalData files = model.ExternalData;
        FloatGraph graph = await Task.Run(() => FloatGraph.Prepare(model, cancellationToken), cancellationToken).ConfigureAwait(false);
        return await ActivationObserver.ObserveAsync(graph, samples, options, logger, progress, cancellationToken).ConfigureAwait(false);
    }

    // The model whose tensors a profile tells of.
    internal static OnnxModel Profiled(string modelPath, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        options.Validate();
        return Bind(modelPath, SettleBatch(modelPath, options, logger, cancellationToken)).Model;
    }

    // The model with all its inputs fixed; for several sets of shapes, in the largest of them.
    private static (OnnxModel Model, QaicOptions Shapes) Bind(string modelPath, QaicOptions options)
    {
        var model = OnnxModel.Load(modelPath);
        CheckDeclaredTypes(model);
        QaicOptions shapes = ProfileShapes(model, options);
        ShapeBinding.Fix(model, shapes);
        DropOverridableInputs(model);
        return (model, shapes);
    }

    private static QaicOptions ProfileShapes(OnnxModel model, QaicOptions options) =>
        SpecializationConfig.FromOptions(options) is { } sets ? SpecializedShapes.DefineLargest(model, sets, options) with { Specializations = [], NetworkSpecializationConfig = null } : options;

    // A batch that nobody asked for is decided on the float network, once: a profile is of one batch size, and the quantized network must have the same.
    private static QaicOptions SettleBatch(string modelPath, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        if (options.BatchSize is not null)
        {
            return options;
        }

        var model = OnnxModel.Load(modelPath);
        using ExternalData files = model.ExternalData;
        CheckDeclaredTypes(model);
        if (ShapeBinding.Fix(model, ProfileShapes(model, options)).AssumedBatch is not { } batch)
        {
            return options;
        }

        DropOverridableInputs(model);
        using var weights = WeightSegment.Extract(model);
        if (!Infer(model, weights, batch, logger, cancellationToken).RowsInteract)
        {
            return options with { BatchSize = (int)batch };
        }

        RowsInteract(logger, modelPath);
        return options with { BatchSize = 1 };
    }

    // With "auto": the calibration that loses least on rows that are held out, and why it is the one.
    private static (QaicOptions Options, string? Reason) ChooseCalibration(string modelPath, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        if (options.QuantizationCalibration != QuantizationCalibration.Auto || !NetworkPrecision.Quantizes(options))
        {
            return (options, null);
        }

        if (options.ExternalQuantizationFile is not null)
        {
            throw new CompilationException(
                "QuantizationCalibration (quantization_calibration) is auto, but ExternalQuantizationFile (external_quantization_file) has the ranges already, so there is nothing to choose. Leave one of them out.");
        }

        if (options.LoadProfile is not null && options.InputListFile is null)
        {
            throw new CompilationException(
                "QuantizationCalibration (quantization_calibration) auto compares calibrations on data, and a profile (LoadProfile, load_profile) has none. "
                + "Give data with InputListFile (input_list_file), or choose a calibration.");
        }

        (OnnxModel bound, QaicOptions shapes) = Bind(modelPath, options);
        using ExternalData files = bound.ExternalData;
        CalibrationSweep sweep = NetworkPrecision.WithData(
            bound, options, () => CalibrationSweep.Choose(modelPath, BatchFill.Trim(NetworkPrecision.Samples(bound, options, logger)), shapes, cancellationToken: cancellationToken));
        CalibrationChosen(logger, modelPath, sweep.Reason);
        return (sweep.Best.ApplyTo(options), sweep.Reason);
    }

    private string Make(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (NetworkPrecision.Quantizes(options))
        {
            options = SettleBatch(modelPath, options, logger, cancellationToken);
        }

        (options, string? reason) = ChooseCalibration(modelPath, options, logger, cancellationToken);
        CustomIoFile? customIo = CustomIoOptions.Load(options, logger);
        if (TryMake(modelPath, outputDirectory, options, reason, customIo, logger, logger, cancellationToken) is { } made)
        {
            return made;
        }

        // What precision costs has been told, of a network of more rows.
        RowsInteract(logger, modelPath);
        return TryMake(modelPath, outputDirectory, options with { BatchSize = 1 }, reason, customIo, logger, NullLogger.Instance, cancellationToken)!;
    }

    // Null: rows of the batch that was assumed influence each other.
    private string? TryMake(
        string modelPath, string outputDirectory, QaicOptions options, string? reason, CustomIoFile? customIo, ILogger logger, ILogger remarks, CancellationToken cancellationToken)
    {
        OnnxModel model = OnnxModel.Load(modelPath);
        using ExternalData files = model.ExternalData;
        CheckDeclaredTypes(model);
        var specializations = SpecializationConfig.FromOptions(options);
        ShapeBinding? shapes = specializations is null ? ShapeBinding.Fix(model, options) : null;
        model.ForgetInnerShapes();
        DropOverridableInputs(model);
        var precision = new NetworkPrecision(options, () => Bind(modelPath, options).Model, remarks, cancellationToken);
        PrecisionRecord made = precision.Apply(model, isProfileShape: specializations is null);
        new NetworkSettings(options.SimulateFakeQuantization).WriteTo(model);
        if (options.DumpQuantizedModel is { } target)
        {
            QuantizedModelFile.Save(model, target);
        }

        using var weights = WeightSegment.Extract(model);
        cancellationToken.ThrowIfCancellationRequested();

        IReadOnlyList<IReadOnlyList<OrtTensor>> sets = [];
        IReadOnlyList<OrtTensor> inputs, outputs;
        bool rowsInteract;
        if (specializations is null)
        {
            (inputs, outputs, rowsInteract) = Infer(model, weights, shapes!.AssumedBatch, logger, cancellationToken);
        }
        else
        {
            (inputs, outputs, sets, rowsInteract) = SpecializedShapes.Infer(model, specializations, options, (copy, batch) => Infer(copy, weights, batch, logger, cancellationToken));
        }

        if (rowsInteract)
        {
            return null;
        }

        for (int i = 0; i < outputs.Count && shapes is not null; i++)
        {
            shapes.Confirm(outputs[i].Name, outputs[i].Shape);
            model.Outputs[i].SetType(outputs[i].DataType, outputs[i].Shape);
        }

        ImmutableArray<TensorSpec> host = CustomIoOptions.Apply(options, customIo, inputs.Concat(outputs));
        NetworkDescriptor network = Describe(model, options, inputs, outputs, sets, host);
        byte[] onnx = model.ToBytes();
        byte[] elf = NetworkElf.Write(
        [
            (NetworkMetadata.SectionName, NetworkMetadata.Create(network, weights.Length)),
            (NetworkImage.ModelSection, onnx),
            (NetworkImage.ChecksumSection, NetworkImage.Checksums(onnx, weights.Checksum(), weights.Length)),
        ]);
        var record = new CompilationRecord
        {
            Compiler = Name,
            CompilerVersion = Version,
            Options = InForce(options, specializations),
            Precision = made with { CalibrationReason = reason },
            BooleanTensors = [.. inputs.Concat(outputs).Where(t => t.DataType == (int)TensorElementType.Bool).Select(t => t.Name).Distinct()],
        };

        try
        {
            Directory.CreateDirectory(outputDirectory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The directory '{Path.GetFullPath(outputDirectory)}' for the QPC (OutputDirectory, output_dir) cannot be made: {e.Message}", e);
        }

        string path = Path.Combine(outputDirectory, QpcFile.FileName);
        new QpcWriter()
            .Add(CompilationRecord.SegmentName, record.ToBytes())
            .Add(WeightSegment.SegmentName, weights.Length, weights.WriteTo, staticLength: weights.Length)
            .Add(WeightSegment.DescriptorName, weights.Descriptor())
            .Add(NetworkElf.SegmentName, elf)
            .Add(NetworkDescriptor.SegmentName, network.ToBytes())
            .Write(path, cancellationToken);
        string recorded = string.Join(", ", OptionTable.NotSimulated(options));
        if (recorded.Length > 0)
        {
            OnlyRecorded(logger, modelPath, recorded);
        }

        Written(logger, network.NetworkName, network.BatchSize, weights.Weights.Count, weights.Length);
        return path;
    }

    private static void CheckDeclaredTypes(OnnxModel model)
    {
        if (model.Outputs.GroupBy(o => o.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new CompilationException($"'{model.Source}' lists the output '{twice.Key}' {twice.Count()} times; the card's buffers go by name. List it once.");
        }

        foreach ((OnnxTensor tensor, string what) in model.Inputs.Select(t => (t, "Input")).Concat(model.Outputs.Select(t => (t, "Output"))))
        {
            if (tensor.Kind is not ("tensor" or "unknown"))
            {
                throw NoTensor(model, what, tensor.Name, tensor.Kind);
            }

            // An output's type may be left to ONNX Runtime; an input's may not, and it says so.
            if (tensor.DataType != 0 && OnnxTypes.BufferType(tensor.DataType) is null)
            {
                throw NoBuffer(model, what, tensor.Name, tensor.DataType);
            }
        }
    }

    private static CompilationException NoTensor(OnnxModel model, string what, string name, string kind) => new(
        $"{what} '{name}' of '{model.Source}' is a value of kind '{kind}'; the card's buffers carry tensors only. Make its parts inputs or outputs of their own.");

    private static CompilationException NoBuffer(OnnxModel model, string what, string name, int dataType)
    {
        string remedy = (TensorElementType)dataType switch
        {
            TensorElementType.String => "Turn text into numbers before the network, or cut the model behind the nodes that read text",
            TensorElementType.Double => "Cast it to float in the model, or export the model in single precision",
            TensorElementType.UInt16 or TensorElementType.UInt32 => "Cast it to int32 or int64 in the model",
            TensorElementType.UInt64 => "Cast it to int64 in the model",
            _ => "Cast it in the model to one of the types that can be carried",
        };
        return new CompilationException(
            $"{what} '{name}' of '{model.Source}' is {OnnxTypes.Name(dataType)}, which the card's buffers cannot carry "
            + $"(they carry float, float16, bfloat16, int8, uint8, int16, int32, int64 and bool). {remedy}.");
    }

    // An initializer that is an input as well could be overridden, so ONNX Runtime would not fold it. Before version 4 of the format every initializer had to be an input.
    private static void DropOverridableInputs(OnnxModel model)
    {
        if (model.Proto.IrVersion < 4)
        {
            return;
        }

        HashSet<string> inputs = [.. model.Inputs.Select(i => i.Name)];
        for (int i = model.Graph.Input.Count - 1; i >= 0; i--)
        {
            if (!inputs.Contains(model.Graph.Input[i].Name))
            {
                model.Graph.Input.RemoveAt(i);
            }
        }
    }

    // Loads the model: what cannot run is found out now, and ONNX Runtime works out the outputs.
    private static (IReadOnlyList<OrtTensor> Inputs, IReadOnlyList<OrtTensor> Outputs, bool RowsInteract) Infer(
        OnnxModel model, WeightSegment weights, long? assumedBatch, ILogger logger, CancellationToken cancellationToken)
    {
        try
        {
            using var session = new OrtSession(model.ToBytes(), weights.InMemory(), 0, logger, cancellationToken, NetworkSettings.Of(model));
            foreach ((OrtTensor tensor, string what) in session.Inputs.Select(t => (t, "Input")).Concat(session.Outputs.Select(t => (t, "Output"))))
            {
                if (tensor.Kind != OnnxValueType.ONNX_TYPE_TENSOR)
                {
                    throw NoTensor(model, what, tensor.Name, tensor.Kind.ToString());
                }

                if (OnnxTypes.BufferType(tensor.DataType) is null)
                {
                    throw NoBuffer(model, what, tensor.Name, tensor.DataType);
                }

                if (tensor.Shape.Any(d => d < 0))
                {
                    throw new CompilationException(
                        $"{what} '{tensor.Name}' of '{model.Source}' has the shape [{string.Join(", ", tensor.Shape.Select(d => d < 0 ? "?" : d.ToString(CultureInfo.InvariantCulture)))}] with all inputs fixed, "
                        + "so its size is not known before the model runs; a card's buffers have fixed sizes. Leave the output out or pad it to a fixed size in the model; if it always has the same shape, declare that.");
                }
            }

            bool isBatch = assumedBatch > 1 && session.Outputs.All(o => o.Shape is [var rows, ..] && rows == assumedBatch);
            return (session.Inputs, session.Outputs, isBatch && RowProbe.RowsInteract(session, (int)assumedBatch!.Value));
        }
        catch (Exception e) when (e is OnnxRuntimeException or InvalidOperationException or NotSupportedException)
        {
            throw new CompilationException($"ONNX Runtime {OrtEnvironment.Version} refuses '{model.Source}': {e.Message}", e);
        }
    }

    // host: the tensors, inputs first, with the types of the host's buffers. The engine converts where the model's differ.
    private static NetworkDescriptor Describe(
        OnnxModel model,
        QaicOptions options,
        IReadOnlyList<OrtTensor> inputs,
        IReadOnlyList<OrtTensor> outputs,
        IReadOnlyList<IReadOnlyList<OrtTensor>> sets,
        ImmutableArray<TensorSpec> host)
    {
        var network = new NetworkDescriptor
        {
            NetworkName = model.Graph.Name.Length > 0 ? model.Graph.Name : Path.GetFileNameWithoutExtension(model.Source) is { Length: > 0 } stem ? stem : "network",
            NumCores = (uint)(options.NumCores ?? 1),
            BatchSize = BatchSize([.. inputs, .. outputs]),
        };
        Add(network.Inputs, inputs, host[..inputs.Count], "inputs");
        Add(network.Outputs, outputs, host[inputs.Count..], "outputs");
        network.AssignDmaBuffers();
        foreach (IReadOnlyList<OrtTensor> tensors in sets)
        {
            var set = new ShapeSet();
            foreach ((OrtTensor tensor, TensorSpec seen) in tensors.Zip(host))
            {
                var shape = new TensorShape { Type = seen.ElementType };
                shape.Dims.AddRange(tensor.Shape);
                set.Shapes.Add(shape);
            }

            network.AllowedShapes.Add(set);
        }

        return network;

        void Add(List<NetworkBinding> bindings, IReadOnlyList<OrtTensor> tensors, ImmutableArray<TensorSpec> host, string what)
        {
            decimal total = 0;
            foreach ((OrtTensor tensor, TensorSpec seen) in tensors.Zip(host))
            {
                ElementType type = seen.ElementType;
                var binding = new NetworkBinding { Name = tensor.Name };
                foreach (TensorDescriptor side in new[] { binding.Initial, binding.Transformed })
                {
                    side.Type = type;
                    side.Scale = seen.Scale;
                    side.Offset = seen.Offset;
                    side.Dims.AddRange(tensor.Shape);
                }

                bindings.Add(binding);

                // A dimension of 0 counts as 1, as the runtime sizes its buffers.
                total += tensor.Shape.Aggregate((decimal)type.SizeInBytes(), (bytes, dim) => bytes * Math.Max(dim, 1)) + DmaAlignment;
                if (total > LargestDmaBuffer)
                {
                    throw new CompilationException($"The {what} of '{model.Source}' need {total} bytes up to '{tensor}'; together they must stay below 4 GiB. Choose a smaller batch.");
                }
            }
        }
    }

    private static int BatchSize(ImmutableArray<OrtTensor> tensors) =>
        tensors.All(t => t.Shape.Length > 0 && t.Shape[0] > 0 && t.Shape[0] == tensors[0].Shape[0]) ? tensors[0].Shape[0] : 1;

    // The shapes by their content, not by the file that they came from. Other files by their names: where they lay when the network was compiled tells nobody anything.
    private static ImmutableSortedDictionary<string, string> InForce(QaicOptions options, SpecializationConfig? specializations)
    {
        ImmutableSortedDictionary<string, string> values = OptionTable.CompileValues(options);
        foreach (OptionInfo option in OptionTable.All.Where(o => o.File != OptionFile.None && values.ContainsKey(o.Keyword) && o.TypeName == "str"))
        {
            values = values.SetItem(option.Keyword, Path.GetFileName(values[option.Keyword]));
        }

        return specializations is null ? values : values.Remove("network_specialization_config").SetItem("specializations", specializations.ToString());
    }

    [LoggerMessage(EventId = 4003, Level = LogLevel.Warning, Message = "The rows of a batch influence each other in {Model} (or that could not be found out), so it is compiled for one row per inference; BatchSize (batch_size) overrides that")]
    private static partial void RowsInteract(ILogger logger, string model);

    [LoggerMessage(EventId = 4004, Level = LogLevel.Information, Message = "The embedded compiler has no use for some options of {Model}; they are recorded in the QPC only: {Options}")]
    private static partial void OnlyRecorded(ILogger logger, string model, string options);

    [LoggerMessage(EventId = 4030, Level = LogLevel.Information, Message = "Calibration of {Model}: {Reason}")]
    private static partial void CalibrationChosen(ILogger logger, string model, string reason);

    [LoggerMessage(EventId = 4002, Level = LogLevel.Debug, Message = "Compiled network {Network}: {Rows} rows per inference, {Count} weights of {Bytes} bytes")]
    private static partial void Written(ILogger logger, string network, int rows, int count, long bytes);
}
