using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class PassThroughTests
{
    private readonly MLContext _ml = new(seed: 1);

    [TestMethod]
    public void Columns_of_every_kind_arrive_beside_their_row()
    {
        using var network = TestNetwork.Affine(4, 2);
        TestView data = TestView.Features(
            11,
            2,
            TestColumn.Of("scalar", NumberDataViewType.Double, r => r + 0.5),
            TestColumn.Of("text", TextDataViewType.Instance, r => $"row {r}".AsMemory()),
            TestColumn.Of("key", new KeyDataViewType(typeof(uint), 20), r => (uint)(r + 1)),
            TestColumn.Of("time", DateTimeDataViewType.Instance, r => new DateTime(2026, 1, 1).AddDays(r)),
            TestColumn.Vector("variable", new VectorDataViewType(NumberDataViewType.Int32), r => Enumerable.Repeat((int)r, (int)r).ToArray()),
            TestColumn.Vector("texts", new VectorDataViewType(TextDataViewType.Instance, 2), r => new[] { $"a{r}".AsMemory(), $"b{r}".AsMemory() }),
            TestColumn.Of("sparse", new VectorDataViewType(NumberDataViewType.Single, 100), r => new VBuffer<float>(100, 1, [r + 1f], [(int)r])));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: 2)).Fit(data);
        CollectionAssert.AreEqual(Dump(data, data.Schema), Dump(model.Transform(data), data.Schema));
        Assert.AreEqual(3, network.Runs);
    }

    [TestMethod]
    public void Id_batch_and_position_are_the_rows_own()
    {
        using var network = TestNetwork.Affine(4, 2);
        TestView data = TestView.Features(11, 2);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        using DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema);
        Assert.AreEqual(-1, cursor.Position);
        ValueGetter<DataViewRowId> id = cursor.GetIdGetter();
        DataViewRowId value = default;
        for (int row = 0; cursor.MoveNext(); row++)
        {
            id(ref value);
            Assert.AreEqual((row, row / 5, new DataViewRowId((ulong)row, 7)), (cursor.Position, cursor.Batch, value));
        }

        Assert.AreEqual(-1, cursor.Position);
        Assert.IsFalse(cursor.MoveNext());
    }

    [TestMethod]
    public void Annotations_and_places_of_the_datas_columns_are_kept_and_outputs_have_none()
    {
        using var network = TestNetwork.Affine(4, 2);
        var annotations = new DataViewSchema.Annotations.Builder();
        annotations.AddPrimitiveValue("IsNormalized", BooleanDataViewType.Instance, true);
        TestView data = TestView.Features(1, 2, TestColumn.Of("label", NumberDataViewType.Single, r => 0f, annotations.ToAnnotations()));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        DataViewSchema schema = model.GetOutputSchema(data.Schema);
        CollectionAssert.AreEqual(new[] { "x", "label", "y" }, schema.Select(c => c.Name).ToArray());
        bool normalized = false;
        schema["label"].Annotations.GetValue("IsNormalized", ref normalized);
        Assert.IsTrue(normalized);
        Assert.IsEmpty(schema["y"].Annotations.Schema);
    }

    [TestMethod]
    public void An_output_hides_a_column_of_its_name()
    {
        using var network = TestNetwork.Affine(4, 2);
        TestView data = TestView.Features(3, 2, TestColumn.Of("y", NumberDataViewType.Int32, r => 0));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        Assert.IsTrue(scored.Schema[1].IsHidden);
        Rows.AssertAffine(Rows.ReadVectors<float>(scored, "y"), 3, 2);
    }

    [TestMethod]
    public void Objects_that_were_delivered_are_not_given_back_to_the_source()
    {
        using var network = TestNetwork.Affine(2, 2);
        var given = new List<object?>();
        var type = new ObjectType();
        var column = new TestColumn("image", type, row => (ValueGetter<object>)((ref object value) =>
        {
            given.Add(value);
            value = $"image {row.Position}";
        }));
        TestView data = TestView.Features(9, 2, column);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: 1)).Fit(data);
        IDataView scored = model.Transform(data);
        using DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema);
        ValueGetter<object> getter = cursor.GetGetter<object>(scored.Schema["image"]);
        while (cursor.MoveNext())
        {
            object value = "";
            getter(ref value);
            Assert.AreEqual($"image {cursor.Position}", value);
        }

        Assert.IsTrue(given.TrueForAll(v => v is null));
    }

    [TestMethod]
    public void A_getter_is_refused_for_inactive_columns_and_other_types()
    {
        using var network = TestNetwork.Affine(4, 2);
        TestView data = TestView.Features(3, 2);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        using DataViewRowCursor cursor = scored.GetRowCursor([scored.Schema["y"]]);
        Assert.IsFalse(cursor.IsColumnActive(scored.Schema["x"]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cursor.GetGetter<VBuffer<float>>(scored.Schema["x"]));
        Assert.Throws<InvalidOperationException>(() => cursor.GetGetter<float>(scored.Schema["y"]));
        ValueGetter<VBuffer<float>> early = cursor.GetGetter<VBuffer<float>>(scored.Schema["y"]);
        VBuffer<float> value = default;
        Assert.Throws<InvalidOperationException>(() => early(ref value));
    }

    private static List<string> Dump(IDataView view, DataViewSchema columns)
    {
        var lines = new List<string>();
        DataViewSchema.Column[] active = [.. columns.Select(c => view.Schema[c.Index]), .. view.Schema.Skip(columns.Count)];
        using DataViewRowCursor cursor = view.GetRowCursor(active);
        Func<string>[] read = [.. columns.Select(c => Reader(cursor, view.Schema[c.Index]))];
        while (cursor.MoveNext())
        {
            lines.Add(string.Join(" | ", read.Select(r => r())));
        }

        return lines;
    }

    private static Func<string> Reader(DataViewRow row, DataViewSchema.Column column)
    {
        (string method, Type type) = column.Type is VectorDataViewType vector ? (nameof(VectorReader), vector.ItemType.RawType) : (nameof(ScalarReader), column.Type.RawType);
        return (Func<string>)typeof(PassThroughTests).GetMethod(method, BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(type).Invoke(null, [row, column])!;
    }

    private static Func<string> ScalarReader<T>(DataViewRow row, DataViewSchema.Column column)
    {
        ValueGetter<T> getter = row.GetGetter<T>(column);
        T value = default!;
        return () =>
        {
            getter(ref value);
            return $"{value}";
        };
    }

    private static Func<string> VectorReader<T>(DataViewRow row, DataViewSchema.Column column)
    {
        ValueGetter<VBuffer<T>> getter = row.GetGetter<VBuffer<T>>(column);
        VBuffer<T> value = default;
        return () =>
        {
            getter(ref value);
            return string.Join(",", value.DenseValues());
        };
    }

    private sealed class ObjectType() : StructuredDataViewType(typeof(object))
    {
        public override bool Equals(DataViewType? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => 1;
    }
}
