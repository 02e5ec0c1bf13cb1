using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Quantization;

namespace Qaic.OnnxRuntime.Tests.Quantization;

[TestClass]
public sealed class SampleBatcherTests
{
    private static readonly OrtTensor[] s_inputs =
    [
        new("image", OnnxValueType.ONNX_TYPE_TENSOR, (int)TensorElementType.Float, [4, 2, 2]),
        new("mask", OnnxValueType.ONNX_TYPE_TENSOR, (int)TensorElementType.Int64, [4, 3]),
    ];

    [TestMethod]
    public void A_missing_input_is_named_with_the_one_that_may_be_meant() => Assert.AreEqual(
        "Sample 0: it lacks the input 'image', which should be Float32[4, 2, 2] with any number of rows, or one row: Float32[2, 2]. It has 'images'; is that meant? It has: 'images', 'mask'.",
        Refused(("images", Image()), ("mask", Mask())));

    [TestMethod]
    public void An_input_too_many_is_named_with_the_nearest_of_the_model() => Assert.AreEqual(
        "Sample 0: the model has no input 'masks'. Did you mean 'mask'? It has: 'image', 'mask'.",
        Refused(("image", Image()), ("mask", Mask()), ("masks", Mask())));

    [TestMethod]
    public void A_wrong_element_type_is_named() => Assert.AreEqual(
        "Sample 0: input 'mask' is Float32[3], but should be Int64[4, 3] with any number of rows, or one row: Int64[3]. Convert the elements.",
        Refused(("image", Image()), ("mask", Tensor.Create([1f, 1, 1]))));

    [TestMethod, DataRow(new[] { 4 }), DataRow(new[] { 1, 4 }), DataRow(new[] { 1, 1, 2, 2 }), DataRow(new[] { 2, 2, 1 })]
    public void A_wrong_shape_is_named(int[] shape) => Assert.AreEqual(
        $"Sample 0: input 'image' is Float32[{string.Join(", ", shape)}], but should be Float32[4, 2, 2] with any number of rows, or one row: Float32[2, 2].",
        Refused(("image", Tensor.Create(new float[4], shape)), ("mask", Mask())));

    [TestMethod]
    public void Inputs_with_different_numbers_of_rows_are_refused() => Assert.AreEqual(
        "Sample 0: input 'image' has 2 rows, but 'mask' has 1. All inputs of a sample have the same number.",
        Refused(("image", Tensor.Create(new float[8], 2, 2, 2)), ("mask", Mask())));

    [TestMethod]
    public void No_dictionary_and_no_tensor_are_refused()
    {
        SampleBatcher batcher = Batcher();
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => batcher.Begin(null)).Message, "Sample 0: it is null");
        StringAssert.Contains(
            Assert.ThrowsExactly<ArgumentException>(() => batcher.Begin(new Dictionary<string, Tensor> { ["image"] = null!, ["mask"] = Mask() })).Message, "Sample 1: input 'image' is null, but should be Float32[4, 2, 2]");
    }

    [TestMethod, DataRow(float.NaN, "NaN"), DataRow(float.PositiveInfinity, "infinity"), DataRow(float.NegativeInfinity, "minus infinity")]
    public void A_number_that_is_none_is_named_with_sample_tensor_and_place(float value, string name)
    {
        SampleBatcher batcher = Batcher();
        for (int i = 0; i < 17; i++)
        {
            batcher.Begin(Sample(("image", Image()), ("mask", Mask())));
        }

        float[] image = new float[8];
        image[6] = value;
        Assert.AreEqual(
            $"Sample 17: element 6 of input 'image' (Float32[2, 2, 2]) is {name}. A range cannot hold it; leave the sample out, or repair it.",
            Assert.ThrowsExactly<ArgumentException>(() => batcher.Begin(Sample(("image", Tensor.Create(image, 2, 2, 2)), ("mask", Tensor.Create(new long[6], 2, 3))))).Message);
    }

    [TestMethod]
    public void Numbers_that_are_none_are_found_wherever_they_are()
    {
        float[] bad = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, BitConverter.UInt32BitsToSingle(0xFF80_0001)];
        for (int length = 1; length < 70; length++)
        {
            for (int at = 0; at < length; at++)
            {
                float[] singles = [.. Enumerable.Repeat(float.MaxValue, length)];
                Half[] halves = [.. Enumerable.Repeat(Half.MinValue, length)];
                ushort[] brains = [.. Enumerable.Repeat((ushort)0xFF7F, length)];
                Assert.AreEqual((-1, -1, -1), FindAll());
                singles[at] = bad[at % bad.Length];
                halves[at] = (Half)singles[at];
                brains[at] = (ushort)(0x7F80 + (at % 3));
                Assert.AreEqual((at, at, at), FindAll());

                (int, int, int) FindAll() => (
                    Find(singles, ElementType.Float32), Find(halves, ElementType.Float16), Find(brains, ElementType.BFloat16));
            }
        }

        Assert.AreEqual(-1, Find([uint.MaxValue], ElementType.Int32), "an integer is always one");

        static int Find<T>(T[] values, ElementType type) where T : unmanaged =>
            SampleReader.FirstNotFinite(System.Runtime.InteropServices.MemoryMarshal.AsBytes<T>(values), type);
    }

    [TestMethod]
    public void Half_inputs_are_checked_as_well()
    {
        var batcher = new SampleBatcher([new OrtTensor("x", OnnxValueType.ONNX_TYPE_TENSOR, (int)TensorElementType.Float16, [1, 2])], 1, hasBatch: true);
        string message = Assert.ThrowsExactly<ArgumentException>(() => batcher.Begin(Sample(("x", Tensor.Create([Half.One, Half.NegativeInfinity]))))).Message;
        StringAssert.Contains(message, "Sample 0: element 1 of input 'x' (Float16[2]) is minus infinity.");
    }

    [TestMethod]
    public void Random_data_is_the_same_for_the_same_seed_and_normally_distributed()
    {
        TensorSpec[] specs = [new("x", ElementType.Float32, [10, 1000]), new("h", ElementType.Float16, [10, 5]), new("b", ElementType.BFloat16, [10, 5]), new("ids", ElementType.Int64, [10, 50]), new("on", ElementType.UInt8, [10])];
        IReadOnlyDictionary<string, Tensor>[] samples = [.. RandomSamples.Create(specs, 2, seed: 5)];
        IReadOnlyDictionary<string, Tensor>[] again = [.. RandomSamples.Create(specs, 2, seed: 5)];
        Assert.HasCount(2, samples);
        foreach (TensorSpec spec in specs)
        {
            CollectionAssert.AreEqual(samples[1][spec.Name].Bytes.ToArray(), again[1][spec.Name].Bytes.ToArray());
            CollectionAssert.AreNotEqual(samples[1][spec.Name].Bytes.ToArray(), samples[0][spec.Name].Bytes.ToArray());
            Assert.AreEqual(-1, SampleReader.FirstNotFinite(samples[0]["x"].Bytes, ElementType.Float32));
            CollectionAssert.AreEqual(spec.Shape, samples[0][spec.Name].Shape);
        }

        float[] values = samples[0]["x"].ToArray<float>();
        Assert.AreEqual(0, values.Average(), 0.05);
        Assert.AreEqual(1, values.Average(v => v * v), 0.05);
        Assert.AreEqual(0.6827, values.Count(v => Math.Abs(v) < 1) / 10000.0, 0.02);
        CollectionAssert.AreEquivalent(new long[] { 0, 1 }, samples[0]["ids"].ToArray<long>().Distinct().ToArray());
        Assert.IsTrue(samples[0]["on"].ToArray<byte>().All(b => b <= 1));
    }

    private static SampleBatcher Batcher() => new(s_inputs, 4, hasBatch: true);

    private static Tensor Image() => Tensor.Create(new float[4], 2, 2);

    private static Tensor Mask() => Tensor.Create(new long[3]);

    private static Dictionary<string, Tensor> Sample(params (string Name, Tensor Tensor)[] inputs) => inputs.ToDictionary(i => i.Name, i => i.Tensor);

    private static string Refused(params (string Name, Tensor Tensor)[] inputs) => Assert.ThrowsExactly<ArgumentException>(() => Batcher().Begin(Sample(inputs))).Message;
}
