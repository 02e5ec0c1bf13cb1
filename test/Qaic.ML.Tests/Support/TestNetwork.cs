using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.Simulation;

namespace Qaic.ML.Tests.Support;

/// <summary>A network in C# on a simulated machine of its own: its tensors, what it computes, and what it was asked. Its compiler profiles inputs only.</summary>
internal sealed class TestNetwork : ISimulationEngine, IProfilingCompiler, IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-ml-test-");
    private readonly TensorSpec[] _inputs;
    private readonly TensorSpec[] _outputs;

    // An ONNX file that holds a producer's name (field 2) and nothing else. No two are the same for the compile cache.
    private readonly byte[] _onnx = [0x12, 36, .. Encoding.ASCII.GetBytes(Guid.NewGuid().ToString())];

    private int _runs;

    /// <param name="inputs">Its inputs.</param>
    /// <param name="outputs">Its outputs.</param>
    /// <param name="compute">What it computes.</param>
    /// <param name="machine">The machine, whatever its engine; null for one with two cards.</param>
    public TestNetwork(TensorSpec[] inputs, TensorSpec[] outputs, Action<TestBuffers> compute, SimulatedPlatformOptions? machine = null)
    {
        (_inputs, _outputs, Compute) = (inputs, outputs, compute);
        Platform = Qaic.Platform.Simulated((machine ?? new() { Cards = [new(), new()] }) with { Engine = this });
        QpcPath = Write(_directory.FullName);
    }

    public string Name => "test network";

    public string Version => "1";

    public ICompiler Compiler => this;

    public Action<TestBuffers> Compute { get; }

    public SimulatedPlatform Platform { get; }

    /// <summary>The network as a QPC.</summary>
    public string QpcPath { get; }

    /// <summary>A file that "compiles" to the network.</summary>
    public string OnnxPath
    {
        get
        {
            string path = Path.Combine(_directory.FullName, "model.onnx");
            File.WriteAllBytes(path, _onnx);
            return path;
        }
    }

    public int Compilations => Compiled.Count;

    /// <summary>What it was compiled with, each time that the cache had nothing: the options, and the contents of the profile and of the input list's files.</summary>
    public List<Compiled> Compiled { get; } = [];

    /// <summary>What compiling with some options throws; null for nothing.</summary>
    public Func<QaicOptions, Exception?> CompileError { get; set; } = _ => null;

    /// <summary>Profiles that were asked for: the options, and the samples as they came.</summary>
    public List<(QaicOptions Options, List<IReadOnlyDictionary<string, Tensor>> Samples)> Profiled { get; } = [];

    /// <summary>All values of an input that were profiled last, in order.</summary>
    public float[] ProfiledValues(string input) => [.. Profiled[^1].Samples.SelectMany(s => s[input].ToArray<float>())];

    /// <summary>Inferences so far.</summary>
    public int Runs => Volatile.Read(ref _runs);

    /// <summary>Copies of the first input, one per inference, where <see cref="Record"/> is set; in no particular order.</summary>
    public ConcurrentBag<byte[]> Recorded { get; } = [];

    public bool Record { get; init; }

    /// <summary>Whether objects may be left on the machine: of tests in which it refuses to release them.</summary>
    public bool MayKeepObjects { get; init; }

    /// <summary>One float input "x" and one float output "y" of the same shape; y = 2x + 1.</summary>
    public static TestNetwork Affine(params int[] shape) => new(
        [new("x", ElementType.Float32, [.. shape])],
        [new("y", ElementType.Float32, [.. shape])],
        b => b.Map<float, float>(0, 0, v => (2 * v) + 1))
    { Record = true };

    /// <summary>Options that run this network.</summary>
    public QaicModelOptions Options(int activations = 1, int setSize = 4) => new()
    {
        ModelPath = QpcPath,
        Platform = Platform,
        Options = new QaicOptions { NumActivations = activations, SetSize = setSize },
    };

    public string Compile(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        CollectionAssert.AreEqual(_onnx, File.ReadAllBytes(modelPath));
        string[][] files = options.InputListFile is { } list ? [.. File.ReadAllLines(list).Select(line => line.Split(','))] : [];
        Compiled.Add(new Compiled(
            options,
            options.LoadProfile is { } profile ? QuantizationProfile.Load(profile) : null,
            [.. files.Select(line => line.Select(file => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(file)).ToArray()).ToArray())]));
        return CompileError(options) is { } error ? throw error : Write(outputDirectory);
    }

    public QuantizationProfile Profile(
        string modelPath,
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken)
    {
        CollectionAssert.AreEqual(_onnx, File.ReadAllBytes(modelPath));
        var seen = new List<IReadOnlyDictionary<string, Tensor>>();
        Profiled.Add((options, seen));
        try
        {
            foreach (IReadOnlyDictionary<string, Tensor> sample in samples)
            {
                cancellationToken.ThrowIfCancellationRequested();
                seen.Add(sample);
                progress?.Report(new ProfilingProgress(seen.Sum(s => s.Values.First().Shape[0]), _inputs.Length));
            }
        }
        catch (InvalidOperationException e)
        {
            // As a compiler does that takes every such error for its runtime's.
            throw new CompilationException("The model cannot be run.", e);
        }

        return new QuantizationProfile(QuantizationProfile.OwnToolsVersion, 1, _inputs.Where(i => i.ElementType == ElementType.Float32).Select(i =>
        {
            float[] values = ProfiledValues(i.Name);
            return new TensorStatistics($"{i.Name}:0", values.Min(), values.Max(), [values.Length]);
        }));
    }

    public Task<QuantizationProfile> ProfileAsync(
        string modelPath,
        IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken) => throw new NotSupportedException("ML.NET's data is not asynchronous.");

    public ISimulatedNetwork Load(QpcFile qpc, ILogger logger) => new Network(this);

    public void Dispose()
    {
        _directory.Delete(recursive: true);
        Assert.IsTrue(MayKeepObjects || Platform.LiveObjects == 0, $"{Platform.LiveObjects} objects are left on the simulated machine.");
    }

    private string Write(string directory)
    {
        var network = new NetworkDescriptor { NetworkName = "test", NumCores = 1 };
        network.Inputs.AddRange(_inputs.Select(Binding));
        network.Outputs.AddRange(_outputs.Select(Binding));
        network.AssignDmaBuffers();
        var record = new CompilationRecord { BooleanTensors = [.. _inputs.Concat(_outputs).Where(t => t.IsBoolean).Select(t => t.Name)] };
        string path = Path.Combine(directory, QpcFile.FileName);
        new QpcWriter().Add("networkdesc.bin", network.ToBytes()).Add("network.elf", new byte[64]).Add("constantsdesc.bin", new byte[24])
            .Add(CompilationRecord.SegmentName, record.ToBytes()).Write(path);
        return path;
    }

    private static NetworkBinding Binding(TensorSpec tensor)
    {
        var binding = new NetworkBinding { Name = tensor.Name };
        foreach (TensorDescriptor side in new[] { binding.Initial, binding.Transformed })
        {
            side.Type = tensor.ElementType;
            side.Scale = tensor.Scale;
            side.Offset = tensor.Offset;
            side.Dims.AddRange(tensor.Shape);
        }

        return binding;
    }

    private sealed class Network(TestNetwork owner) : ISimulatedNetwork
    {
        public ISimulatedExecution Bind(ReadOnlySpan<DeviceTensor> tensors) => new Execution(owner, tensors.ToArray());

        public void Dispose()
        {
        }
    }

    private sealed class Execution(TestNetwork owner, DeviceTensor[] tensors) : ISimulatedExecution
    {
        private readonly TestBuffers _buffers = new([.. tensors.Where(t => t.IsInput)], [.. tensors.Where(t => !t.IsInput)]);

        public void Run()
        {
            Interlocked.Increment(ref owner._runs);
            if (owner.Record)
            {
                owner.Recorded.Add(_buffers.Input<byte>(0).ToArray());
            }

            owner.Compute(_buffers);
        }

        public void Terminate()
        {
        }

        public void Dispose()
        {
        }
    }
}

/// <summary>What a network was compiled with.</summary>
/// <param name="Options">The options.</param>
/// <param name="Profile">The profile that they load; null if none.</param>
/// <param name="Listed">The files of their input list: per inference and input the values.</param>
internal sealed record Compiled(QaicOptions Options, QuantizationProfile? Profile, float[][][] Listed);

/// <summary>The buffers of one execution.</summary>
internal sealed unsafe class TestBuffers(DeviceTensor[] inputs, DeviceTensor[] outputs)
{
    public ReadOnlySpan<T> Input<T>(int index) where T : unmanaged => new((void*)inputs[index].Address, (int)(inputs[index].ByteLength / sizeof(T)));

    public Span<T> Output<T>(int index) where T : unmanaged => new((void*)outputs[index].Address, (int)(outputs[index].ByteLength / sizeof(T)));

    /// <summary>Computes an output from an input of the same shape, element by element.</summary>
    public void Map<TIn, TOut>(int input, int output, Func<TIn, TOut> map)
        where TIn : unmanaged
        where TOut : unmanaged
    {
        ReadOnlySpan<TIn> from = Input<TIn>(input);
        Span<TOut> to = Output<TOut>(output);
        for (int i = 0; i < from.Length; i++)
        {
            to[i] = map(from[i]);
        }
    }
}
