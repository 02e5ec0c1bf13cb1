using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class ErrorTests
{
    private readonly MLContext _ml = new(seed: 1);

    [TestMethod]
    [DataRow(0), DataRow(3), DataRow(4), DataRow(6), DataRow(15)]
    public void A_vector_of_the_wrong_length_ends_the_rows_with_its_number_after_those_before_it(int bad)
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView data = new TestView(20, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single), r => Enumerable.Range(0, r == bad ? 2 : 3).Select(e => (100f * r) + e).ToArray()));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        (List<float[]> rows, Exception error) = ReadUntilError(model.Transform(data));
        Rows.AssertAffine(rows, bad, 3);
        Assert.IsInstanceOfType<InvalidOperationException>(error);
        Assert.AreEqual($"Row {bad}: column 'x' has 2 values; the model's input x Float32[4, 3] needs 3 per row.", error.Message);
    }

    [TestMethod]
    public void NaN_passes_by_default_and_is_an_error_with_row_and_column_on_demand()
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView data = new TestView(9, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single, 3), r => r == 5 ? [500, float.NaN, 502] : new[] { 100f * r, (100f * r) + 1, (100f * r) + 2 }));
        using QaicTransformer passing = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        CollectionAssert.AreEqual(new[] { 1001f, float.NaN, 1005f }, Rows.ReadVectors<float>(passing.Transform(data), "y")[5]);

        using QaicTransformer strict = _ml.Transforms.ApplyQaicModel(network.Options() with { NaNPolicy = NaNPolicy.Error }).Fit(data);
        (List<float[]> rows, Exception error) = ReadUntilError(strict.Transform(data));
        Rows.AssertAffine(rows, 5, 3);
        Assert.StartsWith("Row 5: column 'x' holds NaN", error.Message);
    }

    [TestMethod]
    [DataRow(20)]
    public void NaN_is_found_at_every_place_of_a_vector(int length)
    {
        using var network = TestNetwork.Affine(1, length);
        for (int place = 0; place < length; place++)
        {
            IDataView data = new TestView(1, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single, length), _ => Enumerable.Range(0, length).Select(e => e == place ? float.NaN : e).ToArray()));
            using QaicTransformer strict = _ml.Transforms.ApplyQaicModel(network.Options() with { NaNPolicy = NaNPolicy.Error }).Fit(data);
            Assert.ThrowsExactly<InvalidOperationException>(() => Rows.ReadVectors<float>(strict.Transform(data), "y"));
        }
    }

    [TestMethod]
    [DataRow(0), DataRow(6), DataRow(8)]
    public void A_source_that_fails_fails_at_its_row(int bad)
    {
        using var network = TestNetwork.Affine(4, 3);
        var failure = new IOException("The disk is gone.");
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(TestView.Features(0, 3));
        var failing = new TestView(20, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single, 3), r => Enumerable.Range(0, 3).Select(e => (100f * r) + e).ToArray())) { Failure = (bad, failure) };
        (List<float[]> rows, Exception error) = ReadUntilError(model.Transform(failing));
        Rows.AssertAffine(rows, bad, 3);
        Assert.AreSame(failure, error);
        Assert.AreEqual(0, failing.OpenCursors);
    }

    [TestMethod]
    public void A_device_failure_ends_the_rows_after_those_before_it_and_the_next_pass_works()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(20, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: 1)).Fit(data);
        using (network.Platform.Faults.FailInference(occurrence: 3))
        {
            (List<float[]> rows, Exception error) = ReadUntilError(model.Transform(data));
            Rows.AssertAffine(rows, 8, 3);
            Assert.IsInstanceOfType<QaicException>(error);
        }

        Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(data), "y"), 20, 3);
    }

    [TestMethod]
    public void A_cursor_that_failed_fails_again_in_the_same_way()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = new(5, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single), _ => new float[2]));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        using DataViewRowCursor cursor = scored.GetRowCursor([scored.Schema["y"]]);
        Assert.AreEqual(Assert.Throws<InvalidOperationException>(() => cursor.MoveNext()).Message, Assert.Throws<InvalidOperationException>(() => cursor.MoveNext()).Message);
    }

    [TestMethod]
    public void Use_after_disposal_is_reported_and_disposal_may_be_repeated()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(20, 3);
        QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        using DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema);
        Assert.IsTrue(cursor.MoveNext());
        model.Dispose();
        model.Dispose();
        Assert.AreEqual(0, network.Platform.LiveObjects);
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.Transform(data));
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.GetOutputSchema(data.Schema));
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.GetRowToRowMapper(data.Schema));
        Assert.ThrowsExactly<ObjectDisposedException>(() => _ml.Model.Save(model, data.Schema, new MemoryStream()));
        Assert.ThrowsExactly<ObjectDisposedException>(() => scored.GetRowCursor(scored.Schema));
        Assert.ThrowsExactly<ObjectDisposedException>(() =>
        {
            while (cursor.MoveNext())
            {
            }
        });
    }

    private static (List<float[]> Rows, Exception Error) ReadUntilError(IDataView view)
    {
        var rows = new List<float[]>();
        using DataViewRowCursor cursor = view.GetRowCursor(view.Schema);
        ValueGetter<VBuffer<float>> getter = cursor.GetGetter<VBuffer<float>>(view.Schema["y"]);
        try
        {
            while (cursor.MoveNext())
            {
                VBuffer<float> value = default;
                getter(ref value);
                rows.Add([.. value.DenseValues()]);
            }
        }
        catch (Exception e)
        {
            return (rows, e);
        }

        throw new AssertFailedException($"All {rows.Count} rows came without an error.");
    }
}
