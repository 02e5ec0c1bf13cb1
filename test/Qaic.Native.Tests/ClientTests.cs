using System.Runtime.InteropServices;
using Qaic.Native.Tests.Support;

namespace Qaic.Native.Tests;

/// <summary>The C examples give the bytes that a session of this process gives.</summary>
[TestClass]
public sealed class ClientTests
{
    [TestMethod]
    [DataRow("single", "logits: 1280 bytes\n")]
    [DataRow("queue_depth", "200 inferences, 10 at a time\nlogits: 1280 bytes\n")]
    [DataRow("activations", "4 activations take 4 of 16 cores\n100 inferences\nlogits: 1280 bytes\n")]
    [DataRow("events", "5 completions, 5 callbacks on threads of the library\nlogits: 1280 bytes\n")]
    [DataRow("zero_copy", "2 buffers of the library\nlogits: 1280 bytes at 0 of buffer 1\n")]
    public void An_example_computes_the_bytes_of_a_session(string name, string output)
    {
        string input = Networks.NewFile(), result = Networks.NewFile();
        File.WriteAllBytes(input, Networks.Pixels());
        Assert.AreEqual(output, CProgram.Sample(name).Run([Networks.Digits, $"image={input}", $"logits={result}"]).Succeeded().Output);
        byte[] expected = Networks.Run(Networks.Digits, Networks.Pixels(), Networks.Simulated);
        CollectionAssert.AreEqual(expected, File.ReadAllBytes(result));
        Assert.IsGreaterThan(100, MemoryMarshal.Cast<byte, float>(expected).ToArray().Distinct().Count(), "an output that says something");
    }

    [TestMethod]
    public void Two_networks_of_all_cores_take_turns()
    {
        string input = Networks.NewFile(), result = Networks.NewFile(), all = Networks.Compile(Qaic.TestSupport.Repository.Model("digits_cnn"), new() { NumCores = 16 });
        File.WriteAllBytes(input, Networks.Pixels());
        string output = CProgram.Sample("program_group").Run([all, all, $"image={input}", $"logits={result}"]).Succeeded().Output;
        Assert.AreEqual("20 inferences, two networks in turn\nlogits: 1280 bytes\n", output);
        CollectionAssert.AreEqual(Networks.Run(all, Networks.Pixels(), Networks.Simulated), File.ReadAllBytes(result));
    }

    [TestMethod]
    [DataRow(1, 4)]
    [DataRow(2, 8)]
    [DataRow(3, 2)]
    public void A_network_of_several_shapes_computes_each_in_its_own(int rows, int columns)
    {
        float[] x = [.. Enumerable.Range(0, rows * columns).Select(i => i / 8f - 1)];
        string input = Networks.NewFile(), result = Networks.NewFile();
        File.WriteAllBytes(input, MemoryMarshal.AsBytes<float>(x).ToArray());
        string output = CProgram.Sample("dynamic_shapes").Run([Networks.Shapes, $"x={rows}x{columns}:{input}", $"y={rows}x{columns}:{result}"]).Succeeded().Output;
        Assert.AreEqual($"y: {4 * x.Length} of 64 bytes\n", output);
        using var session = new Session(Networks.Shapes, platform: Networks.Simulated);
        Tensor expected = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(x, rows, columns) })["y"];
        CollectionAssert.AreEqual(expected.ToArray<float>(), MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(result)).ToArray());
    }

    [TestMethod]
    public void Booleans_of_several_shapes_are_bytes()
    {
        string input = Networks.NewFile(), result = Networks.NewFile();
        File.WriteAllBytes(input, [1, 0, 0, 1]);
        string output = CProgram.Sample("dynamic_shapes").Run([Networks.Flags, $"x=1x4:{input}", $"y=1x4:{result}"]).Succeeded().Output;
        Assert.AreEqual("y: 4 of 16 bytes\n", output);
        CollectionAssert.AreEqual(new byte[] { 0, 1, 1, 0 }, File.ReadAllBytes(result));
    }

    [TestMethod]
    public void Shapes_that_the_network_lacks_fail_at_the_wait_with_300()
    {
        string input = Networks.NewFile();
        File.WriteAllBytes(input, new byte[24]);
        CProgram.Result result = CProgram.Sample("dynamic_shapes").Run([Networks.Shapes, $"x=2x3:{input}", $"y=2x3:{Networks.NewFile()}"]);
        Assert.AreEqual(1, result.ExitCode);
        Assert.Contains("qaicExecObjWaitForCompletion(exec, ONE_MINUTE_US) returned 300", result.Errors);
        Assert.Contains("No matching specialization", result.Errors);
    }

    [TestMethod]
    [DataRow(new[] { "nothing.bin" }, "returned 6")]
    [DataRow(new[] { "QPC", "nose=x" }, "nose: the network has no such tensor")]
    [DataRow(new[] { "QPC", "image" }, "image: expected tensor=file")]
    [DataRow(new[] { "QPC", "image=/nowhere/at.all" }, "/nowhere/at.all: cannot be read")]
    public void An_example_says_what_is_wrong_with_its_arguments(string[] arguments, string words)
    {
        CProgram.Result result = CProgram.Sample("single").Run(arguments.Select(a => a == "QPC" ? Networks.Digits : a));
        Assert.AreEqual(1, result.ExitCode);
        Assert.Contains(words, result.Errors);
    }
}
