using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Simulation;

namespace Qaic.Native;

/// <summary>An engine that nobody is inside of when the process ends.</summary>
/// <remarks>
/// <para>A C program may end while the card computes. The C++ library that computes then destroys its globals, and threads that are still in it would run into the ruins. So when the process begins
/// to end, what runs is waited for, and nothing begins any more.</para>
/// <para>Destructors of the program's own globals may come later and still release what they hold; that works, without touching the engine.</para>
/// </remarks>
internal sealed unsafe class ExitGate(ISimulationEngine engine) : ISimulationEngine
{
    // What takes longer than this when the process ends is run into. An inference that begins then rests for a moment, in which the process is gone unless something waits for it.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(1);

    // Recursive: what the engine logs while it is inside goes to the client, whose callback may make calls that go inside, too.
    private static readonly ReaderWriterLockSlim s_gate = new(LockRecursionPolicy.SupportsRecursion);
    private static volatile bool s_isClosed;

    public string Name => engine.Name;

    public ICompiler Compiler => engine.Compiler;

    public ISimulatedNetwork Load(QpcFile qpc, ILogger logger)
    {
        ISimulatedNetwork network = Inside(() => engine.Load(qpc, logger));
        CloseAtExit();
        return new Network(network);
    }

    // The last to be registered is the first to be called: what the engine has made by now is destroyed after the gate is closed. It makes more of it at the first load and the first inference.
    private static void CloseAtExit() => _ = AtExit(&Close, 0, 0);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Close(nint unused)
    {
        // Registered after every load, to come in time; the first call has waited for all of them.
        if (s_isClosed)
        {
            return;
        }

        try
        {
            bool isEmpty = s_gate.TryEnterWriteLock(s_patience);
            s_isClosed = true;
            if (isEmpty)
            {
                s_gate.ExitWriteLock();
            }
        }
        catch (Exception)
        {
            // The process ends, on a thread that is inside itself; there is nobody to tell.
            s_isClosed = true;
        }
    }

    private static T Inside<T>(Func<T> body)
    {
        s_gate.EnterReadLock();
        try
        {
            return s_isClosed ? throw Ending() : body();
        }
        finally
        {
            s_gate.ExitReadLock();
        }
    }

    private static void InsideUnlessClosed(Action body)
    {
        s_gate.EnterReadLock();
        try
        {
            if (!s_isClosed)
            {
                body();
            }
        }
        finally
        {
            s_gate.ExitReadLock();
        }
    }

    private static InvalidOperationException Ending() => new("The process ends, and nothing is computed any more.");

    [DllImport("libc", EntryPoint = "__cxa_atexit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int AtExit(delegate* unmanaged[Cdecl]<nint, void> close, nint argument, nint library);

    private sealed class Network(ISimulatedNetwork network) : ISimulatedNetwork
    {
        private int _hasRun;

        public ISimulatedExecution Bind(ReadOnlySpan<DeviceTensor> tensors)
        {
            s_gate.EnterReadLock();
            try
            {
                return s_isClosed ? throw Ending() : new Execution(this, network.Bind(tensors));
            }
            finally
            {
                s_gate.ExitReadLock();
            }
        }

        public void Dispose() => InsideUnlessClosed(network.Dispose);

        public void Ran()
        {
            if (Volatile.Read(ref _hasRun) == 0 && Interlocked.Exchange(ref _hasRun, 1) == 0)
            {
                CloseAtExit();
            }
        }
    }

    private sealed class Execution(Network network, ISimulatedExecution execution) : ISimulatedExecution
    {
        public void Run()
        {
            s_gate.EnterReadLock();
            try
            {
                if (!s_isClosed)
                {
                    execution.Run();
                    network.Ran();
                    return;
                }
            }
            finally
            {
                s_gate.ExitReadLock();
            }

            // Programs do not expect inferences to fail because they end.
            Thread.Sleep(s_rest);
            throw Ending();
        }

        public void Terminate() => InsideUnlessClosed(execution.Terminate);

        public void Dispose() => InsideUnlessClosed(execution.Dispose);
    }
}
