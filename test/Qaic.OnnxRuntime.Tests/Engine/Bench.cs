using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Simulation;

namespace Qaic.OnnxRuntime.Tests.Engine;

/// <summary>A model that is compiled, loaded, and bound over memory of its own: what a simulated card does with one, without the card.</summary>
internal sealed unsafe class Bench : IDisposable
{
    private readonly TemporaryDirectory _directory = TemporaryDirectory.Create();
    private readonly ISimulatedNetwork _network;
    private readonly List<nint> _memory = [];
    private readonly DeviceTensor[] _tensors;

    private Bench(string model, QaicOptions options, ILogger? logger)
    {
        ILogger log = logger ?? NullLogger.Instance;
        var engine = new OnnxRuntimeEngine();
        QpcPath = engine.Compiler.Compile(model, _directory.Path, options, log, CancellationToken.None);
        Qpc = QpcFile.Open(QpcPath);
        Descriptor = Qpc.ReadNetworkDescriptor();
        _network = engine.Load(Qpc, log);
        _tensors = [.. IoDescriptor.FromNetwork(Descriptor).SelectedSet.Bindings.Select(b => Allocate(b))];
        Execution = _network.Bind(_tensors);
    }

    public string QpcPath { get; }

    public QpcFile Qpc { get; }

    public NetworkDescriptor Descriptor { get; }

    public ISimulatedExecution Execution { get; }

    public static Bench Of(string model, QaicOptions? options = null, ILogger? logger = null) => new(model, options ?? QaicOptions.Default, logger);

    /// <summary>The memory of an input or output.</summary>
    public Span<byte> Memory(string name, bool isInput)
    {
        DeviceTensor tensor = _tensors.First(t => t.Spec.Name == name && t.IsInput == isInput);
        return new Span<byte>((void*)tensor.Address, checked((int)tensor.ByteLength));
    }

    public Span<byte> Input(int index) => Memory(Descriptor.Inputs[index].Name, isInput: true);

    public Span<byte> Output(int index) => Memory(Descriptor.Outputs[index].Name, isInput: false);

    /// <summary>One more execution of the same network over the same memory.</summary>
    public ISimulatedExecution BindAgain() => _network.Bind(_tensors);

    public void DisposeNetwork() => _network.Dispose();

    public void Dispose()
    {
        Execution.Dispose();
        _network.Dispose();
        Qpc.Dispose();
        _memory.ForEach(m => NativeMemory.AlignedFree((void*)m));
        _directory.Dispose();
    }

    private DeviceTensor Allocate(IoBinding binding)
    {
        var address = (nint)NativeMemory.AlignedAlloc(Math.Max(binding.Size, 1), 64);
        _memory.Add(address);
        new Span<byte>((void*)address, (int)binding.Size).Fill(0xA5);
        return new DeviceTensor(binding.ToTensorSpec(), binding.Direction == DmaDirection.In, address, binding.Size);
    }
}
