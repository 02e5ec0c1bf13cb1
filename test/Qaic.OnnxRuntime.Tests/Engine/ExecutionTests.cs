using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Simulation;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Engine;

[TestClass]
public sealed class ExecutionTests : IDisposable
{
    private readonly TemporaryDirectory _directory = TemporaryDirectory.Create();

    public void Dispose() => _directory.Dispose();

    [TestMethod]
    [DataRow("digits_mlp")]
    [DataRow("digits_multihead")]
    [DataRow("digits_cnn_fp16")]
    public void A_run_allocates_nothing(string model)
    {
        using var bench = Bench.Of(Repository.Model(model));
        bench.Input(0).Clear();
        bench.Execution.Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 200; i++)
        {
            bench.Execution.Run();
        }

        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before, "bytes in 200 runs");
    }

    [TestMethod]
    public void A_row_does_not_depend_on_its_place_or_on_the_other_rows()
    {
        foreach (TestModel model in ModelManifest.Models.Where(m => m.Name != "resnet8_b1"))
        {
            using var bench = Bench.Of(model.Path, TrainedModelTests.OptionsFor(model.Name));
            int batch = bench.Descriptor.BatchSize;
            foreach (string input in model.Inputs)
            {
                model.Input(input).RowSlice(0, batch).CopyTo(bench.Memory(input, isInput: true));
            }

            bench.Execution.Run();
            byte[] together = bench.Output(0).ToArray();
            int width = together.Length / batch;
            for (int row = 0; row < batch; row += 3)
            {
                foreach (string input in model.Inputs)
                {
                    bench.Memory(input, isInput: true).Clear();
                    model.Input(input).RowSlice(row, 1).CopyTo(bench.Memory(input, isInput: true));
                }

                bench.Execution.Run();
                CollectionAssert.AreEqual(together[(row * width)..((row + 1) * width)], bench.Output(0)[..width].ToArray(), $"{model.Name}, row {row}");
            }
        }
    }

    [TestMethod]
    public void A_terminated_execution_fails_once_and_then_runs_again()
    {
        using var bench = Bench.Of(Repository.Model("wine_mlp"));
        bench.Input(0).Clear();
        bench.Execution.Run();
        byte[] expected = bench.Output(0).ToArray();
        bench.Execution.Terminate();
        Assert.ThrowsExactly<OperationCanceledException>(bench.Execution.Run);
        bench.Output(0).Clear();
        bench.Execution.Run();
        CollectionAssert.AreEqual(expected, bench.Output(0).ToArray());
    }

    [TestMethod]
    public void Terminate_reaches_a_run_that_is_under_way()
    {
        using var bench = Bench.Of(Repository.Model("resnet8"));
        bench.Input(0).Clear();
        using var started = new ManualResetEventSlim();
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                while (true)
                {
                    bench.Execution.Run();
                    started.Set();
                }
            }
            catch (OperationCanceledException e)
            {
                failure = e;
            }
        });
        thread.Start();
        started.Wait();
        bench.Execution.Terminate();
        Assert.IsTrue(thread.Join(TimeSpan.FromSeconds(60)), "the run never ended");
        Assert.IsNotNull(failure);
    }

    [TestMethod]
    public void Executions_of_one_network_run_side_by_side()
    {
        using var bench = Bench.Of(Repository.Model("digits_cnn"));
        Npy rows = ModelManifest.Get("digits_cnn").Input("image");
        rows.RowSlice(0, 32).CopyTo(bench.Input(0));
        bench.Execution.Run();
        byte[] expected = bench.Output(0).ToArray();
        ISimulatedExecution[] executions = [.. Enumerable.Range(0, 4).Select(_ => bench.BindAgain())];

        // All write the same bytes to the same memory, so only a difference would show.
        Parallel.ForEach(executions, execution =>
        {
            for (int i = 0; i < 20; i++)
            {
                execution.Run();
            }
        });
        CollectionAssert.AreEqual(expected, bench.Output(0).ToArray());
        Array.ForEach(executions, e => e.Dispose());
    }

    [TestMethod]
    public void An_execution_that_outlives_its_network_refuses_to_run()
    {
        using var bench = Bench.Of(Repository.Model("wine_mlp"));
        bench.DisposeNetwork();
        Assert.ThrowsExactly<ObjectDisposedException>(bench.Execution.Run);
        Assert.ThrowsExactly<ObjectDisposedException>(() => bench.BindAgain());
    }

    [TestMethod]
    public void Scalars_and_tensors_without_elements_are_bound()
    {
        ModelProto model = Graphs.Model(
            [Graphs.Node("Add", ["a", "b"], ["sum"]), Graphs.Node("Concat", ["empty", "full"], ["joined"], AttributeProto.Parser.ParseFrom([10, 4, (byte)'a', (byte)'x', (byte)'i', (byte)'s', 24, 0, 0xA0, 1, 2]))],
            [Graphs.Value("a", Graphs.Float), Graphs.Value("b", Graphs.Float), Graphs.Value("empty", Graphs.Int64, 0, 2), Graphs.Value("full", Graphs.Int64, 1, 2)],
            [Graphs.Value("sum", Graphs.Float), Graphs.Value("joined", Graphs.Int64, 1, 2)]);
        using var bench = Bench.Of(Graphs.Save(model, _directory.Path));
        MemoryMarshal.Cast<byte, float>(bench.Input(0))[0] = 2;
        MemoryMarshal.Cast<byte, float>(bench.Input(1))[0] = 3;
        MemoryMarshal.Cast<byte, long>(bench.Input(3))[1] = 9;
        bench.Execution.Run();
        Assert.AreEqual(5f, MemoryMarshal.Cast<byte, float>(bench.Output(0))[0]);
        Assert.AreEqual(9L, MemoryMarshal.Cast<byte, long>(bench.Output(1))[1]);
    }

    [TestMethod]
    public void An_input_may_be_an_output_and_weights_may_be_absent()
    {
        ModelProto model = Graphs.Model([Graphs.Node("Neg", ["x"], ["y"])], [Graphs.Value("x", Graphs.Float, 4)], [Graphs.Value("y", Graphs.Float, 4), Graphs.Value("x", Graphs.Float, 4)]);
        using var bench = Bench.Of(Graphs.Save(model, _directory.Path));
        MemoryMarshal.Cast<byte, float>(bench.Input(0)).Fill(3);
        bench.Execution.Run();
        Assert.AreEqual(-3f, MemoryMarshal.Cast<byte, float>(bench.Memory("y", isInput: false))[3]);
        Assert.AreEqual(3f, MemoryMarshal.Cast<byte, float>(bench.Memory("x", isInput: false))[3]);
    }

    [TestMethod]
    public void An_output_that_does_not_depend_on_the_inputs_is_written()
    {
        TensorProto weights = Graphs.Weights("w", [64], [.. Enumerable.Range(0, 64).Select(i => (float)i)]);
        ModelProto model = Graphs.Model(
            [Graphs.Node("Neg", ["x"], ["y"]), Graphs.Node("Neg", ["w"], ["folded"]), Graphs.Node("Identity", ["x"], ["same"]), Graphs.Node("Identity", ["same"], ["again"])],
            [Graphs.Value("x", Graphs.Float, 4)],
            [Graphs.Value("y", Graphs.Float, 4), Graphs.Value("w", Graphs.Float, 64), Graphs.Value("folded", Graphs.Float, 64), Graphs.Value("same", Graphs.Float, 4), Graphs.Value("again", Graphs.Float, 4)],
            weights);
        using var bench = Bench.Of(Graphs.Save(model, _directory.Path));
        MemoryMarshal.Cast<byte, float>(bench.Input(0)).Fill(3);
        for (int run = 0; run < 2; run++)
        {
            for (int i = 0; i < 5; i++)
            {
                bench.Output(i).Fill(0xA5);
            }

            bench.Execution.Run();
            Assert.AreEqual("-3 63 -63 3 3", string.Join(' ', Enumerable.Range(0, 5).Select(i => MemoryMarshal.Cast<byte, float>(bench.Output(i))[^1])));
        }
    }

    [TestMethod]
    public void Bind_names_the_tensor_that_does_not_fit()
    {
        using var bench = Bench.Of(Repository.Model("wine_mlp"));
        using ISimulatedNetwork network = new OnnxRuntimeEngine().Load(bench.Qpc, LoggerFactory.Create(_ => { }).CreateLogger("test"));
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => network.Bind([])).Message, "2 inputs and outputs, but 0");
        var tooSmall = new DeviceTensor(new TensorSpec("features", ElementType.Float32, [1, 13]), true, 64, 52);
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => network.Bind([tooSmall, tooSmall])).Message, "features float[32, 13]");
    }

    [TestMethod]
    public void Messages_of_ONNX_Runtime_reach_the_logger()
    {
        var messages = new MessageList();
        using (Bench.Of(Repository.Model("wine_mlp"), logger: messages))
        {
            Assert.IsTrue(messages.Messages.Exists(m => m.StartsWith("Debug ONNX Runtime: ", StringComparison.Ordinal)), string.Join('\n', messages.Messages));
        }
    }

    [TestMethod]
    public void The_engine_names_ONNX_Runtime_and_its_compiler()
    {
        var engine = new OnnxRuntimeEngine();
        StringAssert.Matches(engine.Name, new System.Text.RegularExpressions.Regex(@"^ONNX Runtime \d+\.\d+\.\d+"));
        Assert.IsInstanceOfType<EmbeddedCompiler>(engine.Compiler);
    }
}
