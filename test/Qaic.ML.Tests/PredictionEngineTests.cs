using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class PredictionEngineTests
{
    private static readonly PredictionEngineOptions s_shared = new() { OwnsTransformer = false };

    private readonly MLContext _ml = new(seed: 1);

    [TestMethod]
    public void One_row_is_one_padded_inference_however_many_outputs_are_read()
    {
        using TestNetwork network = TwoOutputs();
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(TestView.Features(0, 3));
        using PredictionEngine<Row, Result> engine = _ml.Model.CreatePredictionEngine<Row, Result>(model, s_shared);
        for (int r = 0; r < 5; r++)
        {
            Result result = engine.Predict(new Row { X = [r, 1, 2], Name = $"row {r}" });
            CollectionAssert.AreEqual(new[] { 2f * r, 2, 4 }, result.Doubled);
            CollectionAssert.AreEqual(new[] { 3f * r, 3, 6 }, result.Tripled);
            Assert.AreEqual($"row {r}", result.Name);
        }

        Assert.AreEqual(5, network.Runs);
    }

    [TestMethod, Timeout(120_000, CooperativeCancellation = true)]
    public void Many_engines_share_a_model()
    {
        using TestNetwork network = TwoOutputs();
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: 2)).Fit(TestView.Features(0, 3));
        int good = 0;
        Thread[] threads = [.. Enumerable.Range(0, 8).Select(t => new Thread(() => Predict(t)))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        Assert.AreEqual(8 * 200, good);

        void Predict(int thread)
        {
            using PredictionEngine<Row, Result> engine = _ml.Model.CreatePredictionEngine<Row, Result>(model, s_shared);
            for (int r = 0; r < 200; r++)
            {
                float x = (1000 * thread) + r;
                Result result = engine.Predict(new Row { X = [x, 1, 2], Name = "" });
                Interlocked.Add(ref good, result.Doubled[0] == 2 * x && result.Tripled[0] == 3 * x ? 1 : 0);
            }
        }
    }

    [TestMethod]
    public void An_engine_disposes_the_model_that_it_owns()
    {
        using TestNetwork network = TwoOutputs();
        QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(TestView.Features(0, 3));
        PredictionEngine<Row, Result> other = _ml.Model.CreatePredictionEngine<Row, Result>(model, s_shared);
        _ml.Model.CreatePredictionEngine<Row, Result>(model).Dispose();
        Assert.AreEqual(0, network.Platform.LiveObjects);
        Assert.ThrowsExactly<ObjectDisposedException>(() => other.Predict(new Row()));
    }

    [TestMethod]
    public void A_mapper_keeps_its_schemas_and_refuses_rows_of_others()
    {
        using TestNetwork network = TwoOutputs();
        TestView data = TestView.Features(3, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        Assert.IsTrue(((ITransformer)model).IsRowToRowMapper);
        IRowToRowMapper mapper = model.GetRowToRowMapper(data.Schema);
        Assert.AreSame(data.Schema, mapper.InputSchema);
        DataViewSchema schema = mapper.OutputSchema;
        Assert.AreSame(schema, mapper.OutputSchema);
        using DataViewRowCursor other = TestView.Features(3, 3).GetRowCursor([]);
        Assert.ThrowsExactly<ArgumentException>(() => mapper.GetRow(other, []));
    }

    [TestMethod]
    public void A_mapper_depends_on_the_models_inputs_only_if_an_output_is_wanted()
    {
        using TestNetwork network = TwoOutputs();
        TestView data = TestView.Features(3, 3, TestColumn.Of("label", NumberDataViewType.Int32, r => (int)r));
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IRowToRowMapper mapper = model.GetRowToRowMapper(data.Schema);
        string[] Needed(params string[] wanted) => [.. mapper.GetDependencies(wanted.Select(w => mapper.OutputSchema[w])).Select(c => c.Name)];
        CollectionAssert.AreEqual(new[] { "label" }, Needed("label"));
        CollectionAssert.AreEqual(new[] { "x" }, Needed("tripled"));
        CollectionAssert.AreEqual(new[] { "x", "label" }, Needed("label", "doubled"));
    }

    [TestMethod]
    public void A_row_follows_the_row_beneath_and_disposes_it()
    {
        using TestNetwork network = TwoOutputs();
        TestView data = TestView.Features(3, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IRowToRowMapper mapper = model.GetRowToRowMapper(data.Schema);
        DataViewRowCursor source = data.GetRowCursor(data.Schema);
        using (DataViewRow row = mapper.GetRow(source, [mapper.OutputSchema["doubled"]]))
        {
            Assert.AreSame(mapper.OutputSchema, row.Schema);
            ValueGetter<VBuffer<float>> doubled = row.GetGetter<VBuffer<float>>(row.Schema["doubled"]);
            Assert.Throws<ArgumentOutOfRangeException>(() => row.GetGetter<VBuffer<float>>(row.Schema["tripled"]));
            VBuffer<float> value = default;
            while (source.MoveNext())
            {
                doubled(ref value);
                doubled(ref value);
                Assert.AreEqual(200f * source.Position, value.GetItemOrDefault(0));
                Assert.AreEqual(source.Position, row.Position);
            }
        }

        Assert.AreEqual(3, network.Runs);
        Assert.AreEqual(0, data.OpenCursors);
    }

    [TestMethod]
    public void A_bad_row_names_itself_and_the_next_one_works()
    {
        using TestNetwork network = TwoOutputs();
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options() with { NaNPolicy = NaNPolicy.Error }).Fit(TestView.Features(0, 3));
        using PredictionEngine<Row, Result> engine = _ml.Model.CreatePredictionEngine<Row, Result>(model, s_shared);
        Assert.Contains("column 'x' holds NaN", Assert.Throws<InvalidOperationException>(() => engine.Predict(new Row { X = [1, float.NaN, 3] })).Message);
        CollectionAssert.AreEqual(new[] { 2f, 4, 6 }, engine.Predict(new Row { X = [1, 2, 3] }).Doubled);
    }

    private static TestNetwork TwoOutputs() => new(
        [new("x", ElementType.Float32, [4, 3])],
        [new("doubled", ElementType.Float32, [4, 3]), new("tripled", ElementType.Float32, [4, 3])],
        b =>
        {
            b.Map<float, float>(0, 0, v => 2 * v);
            b.Map<float, float>(0, 1, v => 3 * v);
        });

    private sealed class Row
    {
        [ColumnName("x"), VectorType(3)]
        public float[] X { get; set; } = new float[3];

        public string Name { get; set; } = "";
    }

    private sealed class Result
    {
        [ColumnName("doubled"), VectorType(3)]
        public float[] Doubled { get; set; } = [];

        [ColumnName("tripled"), VectorType(3)]
        public float[] Tripled { get; set; } = [];

        public string Name { get; set; } = "";
    }
}
