using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class BatchingTests
{
    private readonly MLContext _ml = new(seed: 1);

    [TestMethod]
    [DataRow(0), DataRow(1), DataRow(3), DataRow(4), DataRow(5), DataRow(8), DataRow(1003)]
    public void N_rows_take_N_over_B_inferences_and_come_in_order(int rows)
    {
        using var network = TestNetwork.Affine(4, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(TestView.Features(0, 3));
        Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(TestView.Features(rows, 3)), "y"), rows, 3);
        Assert.AreEqual((rows + 3) / 4, network.Runs);
    }

    [TestMethod]
    [DataRow(1, 1), DataRow(1, 2), DataRow(3, 5)]
    public void Any_number_of_slots_gives_the_same_rows(int activations, int setSize)
    {
        using var network = TestNetwork.Affine(4, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(activations, setSize)).Fit(TestView.Features(0, 3));
        Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(TestView.Features(203, 3)), "y"), 203, 3);
    }

    [TestMethod]
    public void Padding_is_zero_whatever_the_slot_held_before()
    {
        using var network = TestNetwork.Affine(4, 2);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: 1)).Fit(TestView.Features(0, 2));
        Rows.ReadVectors<float>(model.Transform(TestView.Features(8, 2)), "y");
        network.Recorded.Clear();
        Rows.ReadVectors<float>(model.Transform(TestView.Features(1, 2)), "y");
        CollectionAssert.AreEqual(new float[] { 0, 1, 0, 0, 0, 0, 0, 0 }, MemoryMarshal.Cast<byte, float>(network.Recorded.Single()).ToArray());
    }

    [TestMethod]
    public void A_column_as_long_as_the_whole_tensor_takes_an_inference_per_row()
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView data = TestView.Features(5, 12);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, 4, 3), scored.Schema["y"].Type);
        Rows.AssertAffine(Rows.ReadVectors<float>(scored, "y"), 5, 12);
        Assert.AreEqual(5, network.Runs);
    }

    [TestMethod]
    public void An_output_has_a_leading_dimension_of_one_where_the_batch_was()
    {
        using var network = TestNetwork.Affine(4, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(TestView.Features(0, 3));
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, 1, 3), model.GetOutputSchema(TestView.Features(0, 3).Schema)["y"].Type);
    }

    [TestMethod]
    public void Squeezed_outputs_of_one_element_are_scalars()
    {
        using var network = TestNetwork.Affine(4, 1);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options() with { SqueezeOutputs = true }).Fit(TestView.Features(0, 1));
        CollectionAssert.AreEqual(new[] { 1f, 201f, 401f }, Rows.Read<float>(model.Transform(TestView.Features(3, 1)), "y"));
    }

    [TestMethod]
    public void Nothing_runs_if_no_output_is_read()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(9, 3, TestColumn.Of("label", NumberDataViewType.Int32, r => (int)r));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        CollectionAssert.AreEqual(Enumerable.Range(0, 9).ToArray(), Rows.Read<int>(model.Transform(data), "label"));
        CollectionAssert.AreEqual(new[] { "label" }, data.LastActive);
        Assert.AreEqual(0, network.Runs);
    }

    [TestMethod]
    public void Only_what_the_model_and_the_reader_want_is_read_from_the_source()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(9, 3, TestColumn.Of("label", NumberDataViewType.Int32, r => (int)r));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        Rows.ReadVectors<float>(model.Transform(data), "y");
        CollectionAssert.AreEqual(new[] { "x" }, data.LastActive);
    }

    [TestMethod]
    public void A_callers_buffer_is_its_own()
    {
        using var network = TestNetwork.Affine(4, 2);
        TestView data = TestView.Features(4, 2);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        using DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema);
        ValueGetter<VBuffer<float>> y = cursor.GetGetter<VBuffer<float>>(scored.Schema["y"]);
        VBuffer<float> value = default;
        Assert.IsTrue(cursor.MoveNext());
        y(ref value);
        VBufferEditor.CreateFromBuffer(ref value).Values.Clear();
        y(ref value);
        CollectionAssert.AreEqual(Rows.AffineOf(0, 2), value.DenseValues().ToArray());
    }

    [TestMethod]
    public void A_row_costs_no_garbage()
    {
        using var network = TestNetwork.Affine(16, 3);
        float[] features = [1, 2, 3];
        var data = new TestView(
            20_000,
            TestColumn.Of("x", new VectorDataViewType(NumberDataViewType.Single, 3), _ => new VBuffer<float>(3, features)),
            TestColumn.Of("label", NumberDataViewType.Int32, r => (int)r));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        using DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema);
        ValueGetter<VBuffer<float>> y = cursor.GetGetter<VBuffer<float>>(scored.Schema["y"]);
        ValueGetter<int> label = cursor.GetGetter<int>(scored.Schema["label"]);
        VBuffer<float> value = default;
        int number = 0;
        long start = 0;
        for (int row = 0; row < 12_000; row++)
        {
            start = row == 2_000 ? GC.GetAllocatedBytesForCurrentThread() : start;
            Assert.IsTrue(cursor.MoveNext());
            y(ref value);
            label(ref number);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - start;
        Assert.IsLessThan(10_000, allocated, "Bytes for 10 000 rows; a batch of 16 may cost a wait object, a row nothing.");
        Assert.AreEqual(11_999, number);
    }
}
