using System.Runtime.InteropServices;
using Qaic.Native.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Native.Tests;

/// <summary>Our own runtime over the library: the native path from end to end, with nothing that stands in.</summary>
[TestClass]
public sealed class SessionTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("digits_cnn")]
    [DataRow("digits_mlp")]
    [DataRow("digits_multihead")]
    public async Task A_session_over_the_library_gives_the_bits_of_the_simulated_platform(string name)
    {
        TestModel model = ModelManifest.Get(name);
        string input = model.Inputs[0];
        await using var native = new Session(model.Path, new() { NumActivations = 2, SetSize = 3 }, DropInLibrary.Platform);
        await using var simulated = new Session(model.Path, platform: Networks.Simulated);
        Assert.AreEqual(DropInLibrary.Platform, native.Platform);
        float[] all = MemoryMarshal.Cast<byte, float>(model.Input(input).Bytes).ToArray();
        int batch = native.Inputs[0].Shape.Aggregate((a, b) => a * b), batches = all.Length / batch;
        await Parallel.ForAsync(0, Math.Min(batches, 12), TestContext.CancellationToken, async (i, cancel) =>
        {
            var x = new Dictionary<string, Tensor> { [input] = Tensor.Create(all[(i * batch)..((i + 1) * batch)], [.. native.Inputs[0].Shape]) };
            IReadOnlyDictionary<string, Tensor> actual = i % 2 == 0 ? native.Run(x) : await native.RunAsync(x, cancel), expected = simulated.Run(x);
            CollectionAssert.AreEquivalent(model.Outputs.ToArray(), actual.Keys.ToArray());
            foreach (string output in model.Outputs)
            {
                CollectionAssert.AreEqual(expected[output].ToArray<float>(), actual[output].ToArray<float>(), output);
            }
        });
    }

    [TestMethod]
    public void Sets_of_shapes_pass_through_the_library()
    {
        using var native = new Session(Networks.Shapes, platform: DropInLibrary.Platform);
        using var simulated = new Session(Networks.Shapes, platform: Networks.Simulated);
        foreach ((int rows, int columns) in new[] { (2, 8), (1, 4), (3, 2), (2, 8) })
        {
            var x = new Dictionary<string, Tensor> { ["x"] = Tensor.Create(Enumerable.Range(0, rows * columns).Select(i => i / 4f).ToArray(), rows, columns) };
            Tensor y = native.Run(x)["y"];
            Assert.AreEqual($"Float32[{rows}, {columns}]", y.ToString());
            CollectionAssert.AreEqual(simulated.Run(x)["y"].ToArray<float>(), y.ToArray<float>());
        }
    }

    [TestMethod]
    public void The_platform_says_that_it_is_simulated_and_compiles_with_the_embedded_compiler()
    {
        Platform platform = DropInLibrary.Platform;
        Assert.IsTrue(platform.IsSimulated);
        Assert.AreEqual($"libQAic.so 10.0 ({DropInLibrary.Path})", platform.Name);
        Assert.AreEqual(Networks.Simulated.Compiler.Name, platform.Compiler.Name);
        Assert.AreEqual("Ready", platform.GetDevices().Single().State.ToString());
    }

    [TestMethod]
    public void An_inference_that_fails_is_an_error_and_the_next_one_loads_the_network_again()
    {
        using var session = new Session(Networks.Negation, platform: DropInLibrary.Platform);
        float[] y = new float[4];
        session.Run<float, float>([1, 2, 3, 4], y);
        DropInLibrary.FailNextInference(Interop.QStatus.DevError);
        QaicException e = Assert.ThrowsExactly<QaicException>(() => session.Run<float, float>(new float[4], y));
        Assert.AreEqual(300, e.HResult);
        session.Run<float, float>([1, 2, 3, 4], y);
        CollectionAssert.AreEqual(new float[] { -1, -2, -3, -4 }, y);
    }

    [TestMethod]
    public async Task An_inference_that_is_held_completes_when_it_is_let_go_and_the_library_is_left_clean()
    {
        var session = new Session(Networks.Negation, platform: DropInLibrary.Platform);
        float[] y = new float[4];
        Task run;
        using (DropInLibrary.HeldInferences held = DropInLibrary.Hold())
        {
            run = session.RunAsync<float, float>(new float[] { 1, 2, 3, 4 }, y, TestContext.CancellationToken).AsTask();
            held.WaitForOne();
            Assert.IsFalse(run.IsCompleted);
        }

        await run;
        CollectionAssert.AreEqual(new float[] { -1, -2, -3, -4 }, y);
        await session.DisposeAsync();
        Assert.AreEqual(0u, DropInLibrary.LiveObjects);
    }

    [TestMethod]
    public void A_fresh_process_takes_the_library_of_QAIC_LIB_as_its_card()
    {
        string input = Networks.NewFile(), output = Networks.NewFile(), program = Path.Combine(AppContext.BaseDirectory, "Qaic.Native.Tests.SessionProcess.dll");
        File.WriteAllBytes(input, Networks.Pixels());
        CProgram.Result result = CProgram.Run("dotnet", [program, Repository.Model("digits_cnn"), input, output], ("QAIC_LIB", DropInLibrary.Path), ("QAIC_SIM_CARDS", "2")).Succeeded();
        string[] lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.AreEqual($"libQAic.so 10.0 ({DropInLibrary.Path})", lines[0]);
        Assert.HasCount(3, lines, result.Output);
        CollectionAssert.AreEqual(Networks.Run(Networks.Digits, Networks.Pixels(), Networks.Simulated), File.ReadAllBytes(output));
    }
}
