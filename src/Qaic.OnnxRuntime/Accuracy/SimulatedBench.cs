using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.Simulation;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Compiles and runs on a simulated card of its own. Nothing goes into the compile cache, and what is compiled is deleted after its run.</summary>
internal sealed class SimulatedBench : IVariantBench
{
    // Rows that are stacked at once: enough to keep the card's slots busy, few enough to be cancelled soon.
    private const int InferencesPerChunk = 16;

    // The engine is named so that this works where nothing is found by reflection.
    private readonly SimulatedPlatform _platform = Platform.Simulated(new SimulatedPlatformOptions { Engine = new OnnxRuntimeEngine() });
    private readonly string _modelPath;
    private readonly ILoggerFactory _loggers;
    private (TensorSpec[] Inputs, bool RowsAreFree, int ChunkRows)? _form;

    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    public SimulatedBench(string modelPath, ILoggerFactory? loggers = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);
        (_modelPath, _loggers) = (modelPath, loggers ?? NullLoggerFactory.Instance);
        if (!File.Exists(modelPath))
        {
            throw new FileNotFoundException($"There is no ONNX model at '{Path.GetFullPath(modelPath)}'.", modelPath);
        }
    }

    public string ModelName => Path.GetFileName(_modelPath);

    public IReadOnlyList<ModelNode> Nodes(QaicOptions options)
    {
        var model = OnnxModel.Load(_modelPath);
        using ExternalData files = model.ExternalData;
        ModelNode[] nodes = [.. model.Graph.Node.Where(n => n.Output.Count > 0).Select(n => new ModelNode(n.Output.FirstOrDefault(o => o.Length > 0) ?? "", n.OpType, [.. n.Input], "") { Outputs = [.. n.Output] })];
        ShapeBinding.Fix(model, options);
        var graph = FloatGraph.Prepare(model);
        return [.. nodes.Select(n => n with { Group = GroupOf(n.Name) })];

        // What took a node's place may belong to what comes after it.
        string GroupOf(string tensor)
        {
            for (int steps = 0; steps < nodes.Length && (graph.StandsFor.TryGetValue(tensor, out string? next) || graph.Fused.TryGetValue(tensor, out next)) && next != tensor; steps++)
            {
                tensor = next;
            }

            return tensor;
        }
    }

    public IEnumerable<ModelWeight> Weights(QaicOptions options)
    {
        var model = OnnxModel.Load(_modelPath);
        using ExternalData files = model.ExternalData;
        ShapeBinding.Fix(model, options);
        var graph = FloatGraph.Prepare(model);
        var shapes = graph.Model.Graph.Initializer.ToDictionary(t => t.Name, t => t.Dims.Select(d => (int)d).ToArray(), StringComparer.Ordinal);
        foreach (ProfiledTensor constant in graph.Constants.Where(c => shapes.TryGetValue(c.Tensor, out int[]? shape) && shape.Length >= 2))
        {
            int[] shape = shapes[constant.Tensor];
            NodeProto? reader = graph.Model.Graph.Node.FirstOrDefault(n => n.Input.Contains(constant.Tensor));
            yield return new ModelWeight(constant.Tensor, graph.Values(constant.Tensor), shape, reader?.OpType ?? "", ChannelAxis(reader, shape.Length));
        }
    }

    public IEnumerable<IReadOnlyDictionary<string, Tensor>> Rows(IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options)
    {
        (TensorSpec[] inputs, bool rowsAreFree, _) = Form(options);
        return StackedSamples.Split(samples, inputs, rowsAreFree);
    }

    public IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Stack(IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options)
    {
        (TensorSpec[] inputs, bool rowsAreFree, int chunkRows) = Form(options);
        return [.. StackedSamples.Stack(samples, inputs, rowsAreFree, chunkRows)];
    }

    public QuantizationProfile Profile(IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options, CancellationToken cancellationToken) =>
        _platform.Profile(_modelPath, samples, VariantOptions.Isolated(options), null, _loggers.CreateLogger<SimulatedBench>(), cancellationToken);

    public VariantRun Run(
        QaicOptions options,
        QuantizationProfile? profile,
        NodePrecision? precision,
        IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples,
        CancellationToken cancellationToken)
    {
        QaicOptions isolated = VariantOptions.Isolated(options);
        DirectoryInfo files = Directory.CreateTempSubdirectory("qaic-accuracy-");
        try
        {
            if (profile is not null)
            {
                isolated = isolated with { LoadProfile = Path.Combine(files.FullName, "profile.yaml") };
                profile.Save(isolated.LoadProfile);
            }

            if (precision is not null)
            {
                isolated = isolated with { NodePrecisionInfoFile = Path.Combine(files.FullName, "precision.yaml") };
                precision.Save(isolated.NodePrecisionInfoFile);
            }

            using Session session = Open(isolated, cancellationToken);
            long size = new FileInfo(session.QpcPath).Length;
            PrecisionRecord? record;
            using (var qpc = QpcFile.Open(session.QpcPath))
            {
                record = CompilationRecord.Read(qpc)?.Precision;
            }

            return new VariantRun(Run(session, samples, cancellationToken), record, size);
        }
        finally
        {
            files.Delete(recursive: true);
        }
    }

    private (TensorSpec[] Inputs, bool RowsAreFree, int ChunkRows) Form(QaicOptions options)
    {
        if (_form is null)
        {
            using Session session = Open(VariantOptions.Isolated(VariantOptions.Reference(options)), CancellationToken.None);
            _form = ([.. session.Inputs], StackedSamples.RowsAreFree(session), session.BatchSize * InferencesPerChunk);
        }

        return _form.Value;
    }

    private Session Open(QaicOptions options, CancellationToken cancellationToken) =>
        Session.CreateAsync(_modelPath, options, _platform, _loggers, cancellationToken).GetAwaiter().GetResult();

    private static List<OutputRows> Run(Session session, IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples, CancellationToken cancellationToken)
    {
        TensorSpec[] inputs = [.. session.Inputs];
        bool rowsAreFree = StackedSamples.RowsAreFree(session);
        var values = session.Outputs.ToDictionary(o => o.Name, _ => new List<float>(), StringComparer.Ordinal);
        int rows = 0;
        foreach (IReadOnlyDictionary<string, Tensor> chunk in StackedSamples.Stack(samples, inputs, rowsAreFree, session.BatchSize * InferencesPerChunk))
        {
            cancellationToken.ThrowIfCancellationRequested();
            IReadOnlyDictionary<string, Tensor> outputs = session.Run(chunk);
            rows += rowsAreFree ? chunk[inputs[0].Name].Shape[0] : 1;
            foreach (TensorSpec output in session.Outputs)
            {
                values[output.Name].AddRange(StackedSamples.ToSingles(outputs[output.Name], output));
            }
        }

        return [.. session.Outputs.Select(o => new OutputRows(o.Name, [.. values[o.Name]], rowsAreFree ? o.Shape[1..] : o.Shape, rows) { IsWhole = StackedSamples.IsWhole(o) })];
    }

    private static int ChannelAxis(NodeProto? reader, int rank) => reader?.OpType switch
    {
        "Conv" => 0,
        "ConvTranspose" => 1,
        "Gemm" => reader.Attribute.Any(a => a.Name == "transB" && a.I != 0) ? 0 : 1,
        "MatMul" => rank - 1,
        _ => 0,
    };
}
