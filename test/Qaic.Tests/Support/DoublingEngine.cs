using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Runtime;
using Qaic.Simulation;

namespace Qaic.Tests.Support;

/// <summary>An engine for tests: output i is 2 × input i, in float whatever the types of the tensors. Counts what is alive; can be gated and made to fail.</summary>
internal sealed class DoublingEngine : ISimulationEngine
{
    private int _loads;
    private int _networks;
    private int _executions;
    private int _inside;
    private int _maxInside;

    public string Name => "doubling";

    public ICompiler Compiler => throw new NotSupportedException("The doubling engine has no compiler.");

    /// <summary>Runs on the card's thread when it has read its inputs; may throw.</summary>
    public Action<DoublingExecution>? OnRun { get; set; }

    /// <summary>Runs when a network is loaded; may throw.</summary>
    public Action? OnLoad { get; set; }

    /// <summary>What it says while a network is loaded; null: nothing.</summary>
    public string? Remark { get; set; }

    public int Loads => Volatile.Read(ref _loads);

    public int LiveNetworks => Volatile.Read(ref _networks);

    public int LiveExecutions => Volatile.Read(ref _executions);

    /// <summary>The most executions that were inside Run at once.</summary>
    public int MaxConcurrency => Volatile.Read(ref _maxInside);

    public ISimulatedNetwork Load(QpcFile qpc, ILogger logger)
    {
        OnLoad?.Invoke();
        if (Remark is not null)
        {
            logger.Log(LogLevel.Error, 0, Remark, null, static (text, _) => text);
        }

        Interlocked.Increment(ref _loads);
        Interlocked.Increment(ref _networks);
        return new Network(this);
    }

    private sealed class Network(DoublingEngine engine) : ISimulatedNetwork
    {
        public ISimulatedExecution Bind(ReadOnlySpan<DeviceTensor> tensors)
        {
            Interlocked.Increment(ref engine._executions);
            return new DoublingExecution(engine, tensors.ToArray());
        }

        public void Dispose() => Interlocked.Decrement(ref engine._networks);
    }

    internal sealed class DoublingExecution(DoublingEngine engine, DeviceTensor[] tensors) : ISimulatedExecution
    {
        private readonly CancellationTokenSource _terminated = new();

        public DeviceTensor[] Tensors => tensors;

        /// <summary>Set when the card wants the computation to end.</summary>
        public CancellationToken Terminated => _terminated.Token;

        public unsafe void Run()
        {
            int inside = Interlocked.Increment(ref engine._inside);
            int max;
            while (inside > (max = engine.MaxConcurrency))
            {
                Interlocked.CompareExchange(ref engine._maxInside, inside, max);
            }

            try
            {
                int inputs = tensors.Length / 2;
                for (int i = 0; i < inputs; i++)
                {
                    if (tensors[i].Spec.ElementType != ElementType.Float32 || tensors[inputs + i].Spec.ElementType != ElementType.Float32)
                    {
                        Convert(tensors[i], tensors[inputs + i]);
                        continue;
                    }

                    Span<float> from = new((void*)tensors[i].Address, (int)tensors[i].ByteLength / 4);
                    Span<float> to = new((void*)tensors[inputs + i].Address, (int)tensors[inputs + i].ByteLength / 4);
                    for (int j = 0; j < from.Length; j++)
                    {
                        to[j] = 2 * from[j];
                    }
                }

                engine.OnRun?.Invoke(this);
            }
            finally
            {
                Interlocked.Decrement(ref engine._inside);
            }
        }

        public void Terminate() => _terminated.Cancel();

        private static unsafe void Convert(DeviceTensor from, DeviceTensor to)
        {
            float[] values = new float[from.Spec.ElementCount];
            ElementConversion.ToSingle(new ReadOnlySpan<byte>((void*)from.Address, (int)from.ByteLength), from.Spec, values);
            float[] doubled = [.. values.Select(v => 2 * v)];
            ElementConversion.FromSingle(doubled, to.Spec, new Span<byte>((void*)to.Address, (int)to.ByteLength));
        }

        public void Dispose() => Interlocked.Decrement(ref engine._executions);
    }
}
