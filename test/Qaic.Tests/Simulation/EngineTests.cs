using Qaic.Interop;
using Qaic.Qpc;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

[TestClass]
public sealed class EngineTests : SimulatedMachineTest
{
    [TestMethod]
    public unsafe void An_engine_that_cannot_load_the_network_fails_the_load_and_takes_nothing()
    {
        using TableClient client = Client(new TestQpc { ConstantsBytes = 1 << 20 });
        nint program = client.Program(activate: false);
        foreach ((Exception thrown, QStatus expected) in new (Exception, QStatus)[]
        {
            (new NotSupportedException("no network for me"), QStatus.Unsupported),
            (new QpcFormatException("model is damaged", 7), QStatus.Error),
            (new InsufficientMemoryException("host memory"), QStatus.NoMem),
            (new KeyNotFoundException("bug"), QStatus.Error),
        })
        {
            Engine.OnLoad = () => throw thrown;
            Assert.AreEqual(expected, Api.LoadProgram(program));
            Assert.AreEqual(thrown.Message, client.LastLog);
            Assert.AreEqual(32692ul << 10, Resources().DramFree);
        }

        Engine.OnLoad = null;
        TableClient.Check(client.Exec(program).Run(client.Queue));
    }

    [TestMethod]
    public void A_computation_that_throws_is_a_device_error_with_the_engines_words()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec exec = client.Exec(program);
        exec.Output().Fill(-1);
        Engine.OnRun = _ => throw new DivideByZeroException("boom");
        TableClient.Check(exec.Enqueue(client.Queue));
        Assert.AreEqual(QStatus.DevError, exec.Wait());
        Assert.Contains("boom", client.LastLog);
        Assert.AreEqual(Environment.CurrentManagedThreadId, client.Log.Last().Thread);
        Assert.AreEqual(-1, exec.Output()[0]);
        Engine.OnRun = null;
        Assert.AreEqual(QStatus.DevError, exec.Enqueue(client.Queue));
        TableClient.Check(client.Exec(client.Program()).Run(client.Queue));
    }

    [TestMethod]
    public void A_lost_device_terminates_the_computation_and_its_late_result_is_dropped()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        exec.Output().Fill(-1);
        using ManualResetEventSlim inside = new(), leave = new();
        bool terminated = false;
        Engine.OnRun = execution =>
        {
            inside.Set();
            Await(execution.Terminated.WaitHandle);
            terminated = true;
            leave.Wait();
        };
        TableClient.Check(exec.Enqueue(client.Queue));
        Await(inside.WaitHandle);
        Faults.LoseDevice(0);
        Assert.AreEqual(QStatus.DevError, exec.Wait());
        leave.Set();
        TableClient.Check(client.Release(exec.Handle));
        Assert.IsTrue(terminated);
        Assert.AreEqual(-1, exec.Output()[0]);
    }

    [TestMethod]
    [DataRow("constantsdesc.bin")]
    [DataRow("network.elf")]
    [DataRow("networkdesc.bin")]
    public unsafe void A_QPC_without_a_segment_that_programs_need_does_not_open(string segment)
    {
        nint qpc;
        byte[] path = System.Text.Encoding.UTF8.GetBytes(Write(new TestQpc { Without = segment }) + '\0');
        fixed (byte* utf8 = path)
        {
            Assert.AreEqual(QStatus.Error, Api.OpenQpcFile(&qpc, utf8));
        }

        Assert.Contains(segment, SimulatedApi.LastError!);
    }

    [TestMethod]
    public unsafe void Transforms_that_the_open_runtime_does_not_do_are_refused_at_the_execution_object()
    {
        using TableClient client = Client(new TestQpc { Edit = n => n.Inputs[0].Transforms.Insert(0, new Transform { Kind = TransformKind.Quantize }) });
        nint exec;
        Assert.AreEqual(QStatus.Inval, Api.CreateExecObj(client.Context, &exec, null, client.Program(), null, null, null));
        Assert.Contains("Quantize, CopyDmaBuffer", client.LastLog);
    }

    [TestMethod]
    public unsafe void A_binding_outside_its_DMA_buffer_makes_the_QPC_unusable()
    {
        nint qpc;
        byte[] path = System.Text.Encoding.UTF8.GetBytes(Write(new TestQpc { Edit = n => n.Outputs[0].Transforms[0].CopyDmaBuffer!.Offset = 64 }) + '\0');
        fixed (byte* utf8 = path)
        {
            Assert.AreEqual(QStatus.Error, Api.OpenQpcFile(&qpc, utf8));
        }

        Assert.Contains("y0", SimulatedApi.LastError!);
    }

    [TestMethod]
    public unsafe void Log_lines_below_the_level_are_not_delivered()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        using Fault hold = Faults.HoldInference();
        TableClient.Check(exec.Enqueue(client.Queue));
        Assert.AreEqual(QStatus.TimedOut, exec.Wait(0));
        Assert.IsEmpty(client.Log);
        TableClient.Check(Api.SetLogLevel(client.Context, QLogLevel.Info));
        Assert.AreEqual(QStatus.TimedOut, exec.Wait(0));
        Assert.AreEqual(QLogLevel.Info, client.Log.Single().Level);
        Assert.AreEqual(QStatus.Inval, Api.SetLogLevel(client.Context, (QLogLevel)4));
        hold.Release();
        TableClient.Check(exec.Wait());
    }
}
