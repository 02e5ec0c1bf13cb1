using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

[TestClass]
public sealed class KernelTests
{
    private const int Avx512Vnni = 1 << 11;
    private const int AvxVnni = 1 << 4;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void The_optimised_graph_shows_folded_normalisation_and_fused_activations()
    {
        var model = OnnxModel.Load(Repository.Model("digits_cnn"));
        OptimizedGraph graph = OptimizedGraph.Of(model);
        Assert.AreEqual(0, graph["BatchNormalization"], graph.ToString());
        Assert.AreEqual(0, graph["Relu"], graph.ToString());
        Assert.AreEqual(2, graph["Conv"] + graph["FusedConv"], graph.ToString());
        Assert.IsTrue(model.Graph.Node.Any(n => n.OpType == "BatchNormalization"), "the model itself is not changed");
    }

    [TestMethod]
    public void Quantized_models_run_with_integer_kernels_unless_fake_quantization_is_set()
    {
        var model = OnnxModel.Load(Repository.Model("resnet8_qdq"));
        OptimizedGraph integers = OptimizedGraph.Of(model);
        Assert.AreEqual(9, integers["QLinearConv"], integers.ToString());
        Assert.AreEqual(0, integers["FusedConv"] + integers["Conv"], integers.ToString());

        int weights = model.Graph.Initializer.Count(t => t.DataType == 3 && model.Graph.Node.Any(n => n.OpType == "DequantizeLinear" && n.Input[0] == t.Name));
        int pairs = model.Graph.Node.Count(n => n.OpType == "QuantizeLinear");
        new NetworkSettings(FakeQuantization: true).WriteTo(model);
        OptimizedGraph floats = OptimizedGraph.Of(model);
        Assert.AreEqual(0, floats["QLinearConv"] + floats["QLinearAdd"] + floats["QGemm"], floats.ToString());
        Assert.AreEqual(9, floats["FusedConv"] + floats["Conv"], floats.ToString());
        Assert.AreEqual(pairs, floats["QuantizeLinear"], "every activation is still rounded: " + floats);
        Assert.IsTrue(weights > 0 && floats["DequantizeLinear"] <= pairs + 1, "weights are dequantized once, at load: " + floats);
    }

    [TestMethod]
    public void Fake_quantization_is_remembered_by_the_model_and_the_default_leaves_no_trace()
    {
        var model = OnnxModel.Load(Repository.Model("digits_cnn_qdq"));
        byte[] before = model.ToBytes();
        int others = model.Proto.MetadataProps.Count;
        Assert.AreEqual(NetworkSettings.Default, NetworkSettings.Of(model));

        new NetworkSettings(FakeQuantization: true).WriteTo(model);
        new NetworkSettings(FakeQuantization: true).WriteTo(model);
        Assert.IsTrue(NetworkSettings.Of(OnnxModel.Parse(model.ToBytes(), "again")).FakeQuantization);
        Assert.HasCount(others + 1, model.Proto.MetadataProps);

        NetworkSettings.Default.WriteTo(model);
        CollectionAssert.AreEqual(before, model.ToBytes());
    }

    [TestMethod]
    public void Integer_kernels_are_exact_where_the_processor_adds_in_32_bits()
    {
        Assert.IsTrue(IntegerKernels.AreExactOn(Architecture.Arm64, 0, 0, false, false));
        Assert.IsTrue(IntegerKernels.AreExactOn(Architecture.X64, Avx512Vnni, 0, systemSavesAvx512: true, systemSavesAvx2: true));
        Assert.IsTrue(IntegerKernels.AreExactOn(Architecture.X64, 0, AvxVnni, systemSavesAvx512: false, systemSavesAvx2: true));
        Assert.IsFalse(IntegerKernels.AreExactOn(Architecture.X64, ~Avx512Vnni, ~AvxVnni, true, true), "AVX-512 without VNNI saturates");
        Assert.IsFalse(IntegerKernels.AreExactOn(Architecture.X64, Avx512Vnni, 0, systemSavesAvx512: false, systemSavesAvx2: true), "what the system does not save cannot be used");
        Assert.IsFalse(IntegerKernels.AreExactOn(Architecture.X64, 0, AvxVnni, false, systemSavesAvx2: false));
        Assert.IsFalse(IntegerKernels.AreExactOn(Architecture.X64, 0, 0, false, false));
    }

    [TestMethod]
    public void The_processor_is_described_as_the_system_describes_it()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            Assert.Inconclusive("/proc/cpuinfo names instructions on x64 Linux only.");
        }

        string[] flags = File.ReadLines("/proc/cpuinfo").First(l => l.StartsWith("flags", StringComparison.Ordinal)).Split(' ');
        Assert.AreEqual(flags.Contains("avx512_vnni") || flags.Contains("avx_vnni"), IntegerKernels.AreExact);
    }

    [TestMethod]
    public void Hosts_whose_kernels_saturate_get_unsigned_weights()
    {
        Assert.IsEmpty(NetworkSettings.Default.SessionEntries(kernelsAreExact: true));
        CollectionAssert.AreEqual(new[] { "session.x64quantprecision" }, NetworkSettings.Default.SessionEntries(kernelsAreExact: false).Select(e => e.Key).ToArray());
        CollectionAssert.AreEqual(
            new[] { "session.disable_quant_qdq", "session.x64quantprecision" }, new NetworkSettings(true).SessionEntries(kernelsAreExact: false).Select(e => e.Key).ToArray());
    }

    [TestMethod]
    [DataRow("digits_cnn_qdq"), DataRow("resnet8_qdq")]
    public void Fake_quantization_gives_the_integer_kernels_results_up_to_one_step(string name)
    {
        // What the option's description promises. A sum on the border between two numbers may fall to either side, in any layer; what follows moves with it, by less than that.
        TestModel test = ModelManifest.Get(name);
        (float[] integers, float[] floats) = (Logits(test, NetworkSettings.Default), Logits(test, new(FakeQuantization: true)));

        // Of 255 between the smallest and the largest logit.
        float step = (integers.Max() - integers.Min()) / 255;
        double[] steps = [.. integers.Zip(floats, (a, b) => Math.Abs(a - b) / (double)step)];
        TestContext.WriteLine(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{name}: {steps.Max():f2} steps at most, {steps.Average():f4} on average, {steps.Count(s => s < 0.01) / (double)steps.Length:p1} alike"));
        Assert.IsLessThanOrEqualTo(1, steps.Max());
        Assert.IsLessThan(0.1, steps.Average(), "most agree");
    }

    private static float[] Logits(TestModel test, NetworkSettings settings)
    {
        using var session = new OrtSession(File.ReadAllBytes(test.Path), [], 0, NullLogger.Instance, CancellationToken.None, settings);
        return Runs.All(session, test)[test.Outputs[0]].ToSingles();
    }
}
