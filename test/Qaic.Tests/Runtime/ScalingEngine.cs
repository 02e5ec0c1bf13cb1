using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Simulation;

namespace Qaic.Tests.Runtime;

/// <summary>An engine whose networks compute y = 2x, on floats, and throw when the first element is NaN.</summary>
internal sealed unsafe class ScalingEngine : ISimulationEngine
{
    public string Name => "scaling";

    public ICompiler Compiler => throw new NotSupportedException("This engine compiles nothing.");

    public int Loads { get; private set; }

    public static SimulatedPlatform Platform(SimulatedPlatformOptions? options = null) =>
        Qaic.Platform.Simulated((options ?? new()) with { Engine = new ScalingEngine() });

    /// <summary>Writes a QPC of one input "x" and one output "y", float[rows, columns], for so many cores.</summary>
    public static string WriteQpc(string directory, int rows = 4, int columns = 2, uint cores = 2, string name = "scaling", string output = "y")
    {
        var network = new NetworkDescriptor { NetworkName = name, NumCores = cores, BatchSize = rows };
        network.Inputs.Add(Binding("x", rows, columns));
        network.Outputs.Add(Binding(output, rows, columns));
        network.AssignDmaBuffers();
        string path = Path.Combine(directory, QpcFile.FileName);
        new QpcWriter().Add("networkdesc.bin", network.ToBytes()).Add("network.elf", new byte[64]).Add("constantsdesc.bin", new byte[24]).Write(path);
        return path;
    }

    public ISimulatedNetwork Load(QpcFile qpc, ILogger logger)
    {
        Loads++;
        return new Network();
    }

    private static NetworkBinding Binding(string name, params int[] dims)
    {
        var binding = new NetworkBinding { Name = name };
        binding.Initial.Dims.AddRange(dims);
        binding.Transformed.Dims.AddRange(dims);
        return binding;
    }

    private sealed class Network : ISimulatedNetwork
    {
        public ISimulatedExecution Bind(ReadOnlySpan<DeviceTensor> tensors) => new Execution(tensors[0], tensors[1]);

        public void Dispose()
        {
        }
    }

    private sealed class Execution(DeviceTensor x, DeviceTensor y) : ISimulatedExecution
    {
        private volatile bool _terminated;

        public void Run()
        {
            var input = new ReadOnlySpan<float>((void*)x.Address, (int)(x.ByteLength / sizeof(float)));
            var output = new Span<float>((void*)y.Address, (int)(y.ByteLength / sizeof(float)));
            if (float.IsNaN(input[0]) || _terminated)
            {
                throw new ArithmeticException("The network met NaN");
            }

            for (int i = 0; i < input.Length; i++)
            {
                output[i] = 2 * input[i];
            }
        }

        public void Terminate() => _terminated = true;

        public void Dispose()
        {
        }
    }
}
