using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class InputTypeTests
{
    private readonly MLContext _ml = new(seed: 1);

    [TestMethod]
    public void Single() => RoundTrip<float>(ElementType.Float32, NumberDataViewType.Single, r => r / 3f);

    [TestMethod]
    public void SByte() => RoundTrip(ElementType.Int8, NumberDataViewType.SByte, r => (sbyte)-r);

    [TestMethod]
    public void Byte() => RoundTrip(ElementType.UInt8, NumberDataViewType.Byte, r => (byte)(255 - r));

    [TestMethod]
    public void Int16() => RoundTrip(ElementType.Int16Q, NumberDataViewType.Int16, r => (short)(-1000 * r));

    [TestMethod]
    public void Int32() => RoundTrip(ElementType.Int32, NumberDataViewType.Int32, r => (int)(-100_000 * r));

    [TestMethod]
    public void Int64() => RoundTrip(ElementType.Int64, NumberDataViewType.Int64, r => -10_000_000_000 * r);

    [TestMethod]
    public void Boolean() => RoundTrip(ElementType.UInt8, BooleanDataViewType.Instance, r => r % 2 == 0, isBoolean: true);

    [TestMethod]
    public void Half_tensors_are_columns_of_Single()
    {
        using TestNetwork network = Copying(ElementType.Float16, false);
        IDataView data = new TestView(6, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single, 3), r => new[] { r / 3f, 0, 70_000f }));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, 1, 3), scored.Schema["y"].Type);
        List<float[]> rows = Rows.ReadVectors<float>(scored, "y");
        for (int r = 0; r < 6; r++)
        {
            CollectionAssert.AreEqual(new[] { (float)(Half)(r / 3f), 0, float.PositiveInfinity }, rows[r]);
        }
    }

    [TestMethod]
    [DataRow(ElementType.UInt8Q, 0.5f, 100, 77.5f), DataRow(ElementType.Int8Q, 0.25f, -28, 38.75f), DataRow(ElementType.BFloat16, 0f, 0, 1000f)]
    public void Tensors_of_codes_and_of_short_floats_are_columns_of_Single(ElementType type, float scale, int offset, float expected)
    {
        TensorSpec Tensor(string name) => new(name, type, [4, 3]) { Scale = scale, Offset = offset };
        using var network = new TestNetwork([Tensor("x")], [Tensor("y")], b => b.Output<byte>(0).Clear()) { Record = true };
        using var copying = new TestNetwork([Tensor("x")], [Tensor("y")], b => b.Input<byte>(0).CopyTo(b.Output<byte>(0)));
        IDataView data = new TestView(6, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single, 3), r => new[] { r / 2f, -2.5f, 1000f }));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(copying.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, 1, 3), scored.Schema["y"].Type);
        List<float[]> rows = Rows.ReadVectors<float>(scored, "y");
        for (int r = 0; r < 6; r++)
        {
            CollectionAssert.AreEqual(new[] { r / 2f, -2.5f, expected }, rows[r]);
        }

        // What pads the last batch stands for 0.
        using QaicTransformer recording = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        Rows.ReadVectors<float>(recording.Transform(data), "y");
        byte zero = unchecked((byte)offset);
        Assert.IsTrue(network.Recorded.Any(b => b.AsSpan(b.Length / 2).IndexOfAnyExcept(zero) < 0), "padding of the second batch");
    }

    [TestMethod]
    public void Bytes_pass_for_codes_as_they_are()
    {
        using var network = new TestNetwork(
            [new("x", ElementType.UInt8Q, [4, 3]) { Scale = 0.5f, Offset = 10 }], [new("y", ElementType.UInt8Q, [4, 3]) { Scale = 0.5f, Offset = 10 }], b => b.Map<byte, byte>(0, 0, v => v));
        IDataView data = new TestView(3, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Byte, 3), r => new byte[] { 0, 10, (byte)(11 + r) }));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        CollectionAssert.AreEqual(new[] { -5f, 0, 1.5f }, Rows.ReadVectors<float>(model.Transform(data), "y")[2]);
    }

    [TestMethod]
    [DataRow(ElementType.Float32), DataRow(ElementType.Float16), DataRow(ElementType.UInt8Q)]
    public void Sparse_vectors_are_filled_with_zeros(ElementType type)
    {
        var x = new TensorSpec("x", type, [4, 3]) { Scale = 1, Offset = 7 };
        using var network = new TestNetwork([x], [x with { Name = "y" }], b => b.Input<byte>(0).CopyTo(b.Output<byte>(0)));
        IDataView data = new TestView(5, TestColumn.Of("x", new VectorDataViewType(NumberDataViewType.Single, 3), r => new VBuffer<float>(3, 1, [r], [(int)r % 3])));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: 1)).Fit(data);
        List<float[]> rows = Rows.ReadVectors<float>(model.Transform(data), "y");
        for (int r = 0; r < 5; r++)
        {
            CollectionAssert.AreEqual(Enumerable.Range(0, 3).Select(e => e == r % 3 ? (float)r : 0).ToArray(), rows[r]);
        }
    }

    [TestMethod]
    public void A_boolean_column_passes_for_bytes()
    {
        using TestNetwork network = Copying(ElementType.UInt8, false);
        IDataView data = new TestView(3, TestColumn.Vector("x", new VectorDataViewType(BooleanDataViewType.Instance, 3), r => new[] { true, false, r == 1 }));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        CollectionAssert.AreEqual(new byte[] { 1, 0, 1 }, Rows.ReadVectors<byte>(model.Transform(data), "y")[1]);
    }

    [TestMethod]
    public void A_key_over_bytes_passes_for_bytes()
    {
        using TestNetwork network = Copying(ElementType.UInt8, false);
        IDataView data = new TestView(3, TestColumn.Vector("x", new VectorDataViewType(new KeyDataViewType(typeof(byte), 9), 3), r => new byte[] { 1, 2, (byte)(r + 1) }));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        CollectionAssert.AreEqual(new byte[] { 1, 2, 3 }, Rows.ReadVectors<byte>(model.Transform(data), "y")[2]);
    }

    [TestMethod]
    public void Scalars_and_vectors_of_any_shape_feed_tensors_of_as_many_elements()
    {
        TensorSpec[] inputs = [new("a", ElementType.Float32, [4, 1]), new("b", ElementType.Float32, [4, 2, 3])];
        using var network = new TestNetwork(inputs, [new("sum", ElementType.Float32, [4])], b =>
        {
            for (int r = 0; r < 4; r++)
            {
                b.Output<float>(0)[r] = b.Input<float>(0)[r] + b.Input<float>(1)[(6 * r)..][..6].ToArray().Sum();
            }
        });
        IDataView data = new TestView(
            7,
            TestColumn.Of("a", NumberDataViewType.Single, r => (float)r),
            TestColumn.Vector("b", new VectorDataViewType(NumberDataViewType.Single, 6), r => Enumerable.Repeat((float)r, 6).ToArray()));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, 1), scored.Schema["sum"].Type);
        CollectionAssert.AreEqual(new[] { 0f, 7, 14, 21, 28, 35, 42 }, Rows.ReadVectors<float>(scored, "sum").ConvertAll(v => v[0]));
    }

    [TestMethod]
    public void Variable_vectors_of_the_right_length_are_a_batch()
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView data = new TestView(9, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single), r => Enumerable.Range(0, 3).Select(e => (100f * r) + e).ToArray()));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(data), "y"), 9, 3);
        Assert.AreEqual(3, network.Runs);
    }

    [TestMethod]
    public void A_column_may_be_named_otherwise_than_its_tensor()
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView data = new TestView(5, TestColumn.Vector("features", new VectorDataViewType(NumberDataViewType.Single, 3), r => Enumerable.Range(0, 3).Select(e => (100f * r) + e).ToArray()));
        QaicModelOptions options = network.Options() with
        {
            InputTensors = new Dictionary<string, string> { ["features"] = "x" },
            OutputTensors = new Dictionary<string, string> { ["score"] = "y" },
        };
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(options).Fit(data);
        Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(data), "score"), 5, 3);
    }

    private void RoundTrip<T>(ElementType type, PrimitiveDataViewType item, Func<long, T> value, bool isBoolean = false) where T : unmanaged
    {
        using TestNetwork network = Copying(type, isBoolean);
        IDataView data = new TestView(6, TestColumn.Vector("x", new VectorDataViewType(item, 3), r => new[] { value(r), value(r + 1), value(r + 2) }));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        Assert.AreEqual(new VectorDataViewType(item, 1, 3), scored.Schema["y"].Type);
        List<T[]> rows = Rows.ReadVectors<T>(scored, "y");
        for (int r = 0; r < 6; r++)
        {
            CollectionAssert.AreEqual(new[] { value(r), value(r + 1), value(r + 2) }, rows[r]);
        }
    }

    private static TestNetwork Copying(ElementType type, bool isBoolean) => new(
        [new("x", type, [4, 3]) { IsBoolean = isBoolean }],
        [new("y", type, [4, 3]) { IsBoolean = isBoolean }],
        b => b.Map<byte, byte>(0, 0, v => v));
}
