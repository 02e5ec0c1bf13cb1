using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.ML.Tests;

/// <summary>ML.NET's own components before and after the model.</summary>
[TestClass]
public sealed class NeighbourTests
{
    private static readonly TestModel s_model = ModelManifest.Get("breast_cancer_mlp");

    private readonly MLContext _ml = new(seed: 1);

    [TestMethod]
    public void A_trainer_learns_from_the_models_output_and_cross_validates()
    {
        IDataView data = Patients();
        var pipeline = _ml.Transforms.CopyColumns("raw", "features")
            .Append(_ml.Transforms.NormalizeMinMax("raw"))
            .Append(_ml.Transforms.ApplyQaicModel(s_model.Path))
            .AppendCacheCheckpoint(_ml)
            .Append(_ml.Transforms.Concatenate("Features", "raw", "probability"))
            .Append(_ml.BinaryClassification.Trainers.FastTree(numberOfTrees: 10, minimumExampleCountPerLeaf: 2));
        var folds = _ml.BinaryClassification.CrossValidate(data, pipeline, numberOfFolds: 3);
        Assert.HasCount(3, folds);
        foreach (var fold in folds)
        {
            Assert.IsGreaterThan(0.9, fold.Metrics.Accuracy);
            ((IDisposable)fold.Model).Dispose();
        }
    }

    [TestMethod]
    [DataRow("as it is"), DataRow("cached"), DataRow("shuffled"), DataRow("filtered"), DataRow("split")]
    public void The_same_pipeline_around_ApplyOnnxModel_ends_in_the_same_scores(string how)
    {
        List<(float Number, bool Predicted, float Score)> ours = Scores(ml => ml.Transforms.ApplyQaicModel(s_model.Path));
        List<(float Number, bool Predicted, float Score)> theirs = Scores(ml => ml.Transforms.ApplyOnnxModel(s_model.Path));
        Assert.IsGreaterThan(20, ours.Count);
        Assert.HasCount(theirs.Count, ours);
        foreach (var (mine, other) in ours.Zip(theirs))
        {
            Assert.AreEqual((other.Number, other.Predicted), (mine.Number, mine.Predicted));
            Assert.AreEqual(other.Score, mine.Score, 1e-4f, $"Row {mine.Number}");
        }

        // Contexts of their own with the same seed, so that both trainers draw the same numbers.
        List<(float, bool, float)> Scores(Func<MLContext, IEstimator<ITransformer>> apply)
        {
            var ml = new MLContext(seed: 1);
            IDataView data = Patients();
            IDataView input = how switch
            {
                "cached" => ml.Data.Cache(data),
                "shuffled" => ml.Data.ShuffleRows(data, seed: 3),
                "filtered" => ml.Data.FilterRowsByColumn(data, "Number", 10, 90),
                "split" => ml.Data.TrainTestSplit(data, 0.3, seed: 1).TrainSet,
                _ => data,
            };
            var pipeline = ml.Transforms.CopyColumns("raw", "features")
                .Append(ml.Transforms.NormalizeMinMax("raw"))
                .Append(apply(ml))
                .AppendCacheCheckpoint(ml)
                .Append(ml.Transforms.Concatenate("Features", "raw", "probability"))
                .Append(ml.BinaryClassification.Trainers.FastTree(numberOfTrees: 10, minimumExampleCountPerLeaf: 2));
            using var model = pipeline.Fit(input);
            IDataView scored = model.Transform(input);
            return [.. scored.GetColumn<float>("Number").Zip(scored.GetColumn<bool>("PredictedLabel"), scored.GetColumn<float>("Score"))];
        }
    }

    [TestMethod]
    public void An_evaluator_takes_a_squeezed_output()
    {
        IDataView data = Patients();
        QaicModelOptions options = new()
        {
            ModelPath = s_model.Path,
            SqueezeOutputs = true,
            OutputTensors = new Dictionary<string, string> { ["Score"] = "logit", ["Probability"] = "probability" },
        };
        var pipeline = _ml.Transforms.ApplyQaicModel(options).Append(_ml.Transforms.Expression("PredictedLabel", "x => x > 0", "Score"));
        using var model = pipeline.Fit(data);
        BinaryClassificationMetrics metrics = _ml.BinaryClassification.Evaluate(model.Transform(data));
        Assert.AreEqual(s_model.Accuracy, metrics.Accuracy, 0.0001);
    }

    [TestMethod]
    public void Shuffling_filtering_caching_and_splitting_around_the_model_keep_rows_together()
    {
        IDataView data = Patients();
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(s_model.Path).Fit(data);
        IDataView[] inputs = [data, _ml.Data.ShuffleRows(data, seed: 3), _ml.Data.FilterRowsByColumn(data, "Number", 10, 90), _ml.Data.Cache(data), _ml.Data.TrainTestSplit(data, 0.3, seed: 1).TestSet, _ml.Data.SkipRows(data, 5)];
        foreach (IDataView input in inputs)
        {
            AssertRowsBelongTogether(model.Transform(input));
        }

        IDataView scored = model.Transform(data);
        IDataView[] outputs = [_ml.Data.ShuffleRows(scored, seed: 4), _ml.Data.FilterRowsByColumn(scored, "Number", 10, 90), _ml.Data.Cache(scored), _ml.Data.TrainTestSplit(scored, 0.3, seed: 1).TrainSet, _ml.Data.TakeRows(scored, 33)];
        foreach (IDataView output in outputs)
        {
            AssertRowsBelongTogether(output);
        }
    }

    [TestMethod]
    public void A_shuffled_cursor_comes_shuffled_from_the_source()
    {
        IDataView data = _ml.Data.Cache(Patients());
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(s_model.Path).Fit(data);
        IDataView scored = model.Transform(data);
        Assert.IsTrue(scored.CanShuffle);
        Assert.AreEqual(data.GetRowCount(), scored.GetRowCount());
        float[] Numbers(Random? random) => [.. Read(scored, random).Select(r => r.Number)];
        float[] serial = Numbers(null);
        float[] shuffled = Numbers(new Random(5));
        CollectionAssert.AreNotEqual(serial, shuffled);
        CollectionAssert.AreEquivalent(serial, shuffled);
        CollectionAssert.AreEqual(shuffled, Numbers(new Random(5)));
    }

    [TestMethod]
    public void A_set_of_cursors_delivers_every_row_once_with_its_id()
    {
        IDataView data = _ml.Data.Cache(Patients());
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(s_model.Path, new QaicOptions { BatchSize = 4, SetSize = 2 }).Fit(data);
        IDataView scored = model.Transform(data);
        List<(DataViewRowId Id, float Number, float Logit)> serial = Read(scored, null);
        DataViewRowCursor[] cursors = scored.GetRowCursorSet(scored.Schema, 4);
        var rows = new List<(DataViewRowId Id, float Number, float Logit)>[cursors.Length];
        Thread[] threads = [.. cursors.Select((cursor, i) => new Thread(() => rows[i] = Read(cursor)))];
        Array.ForEach(threads, t => t.Start());
        Soon.Ends(() => Array.ForEach(threads, t => t.Join()));
        CollectionAssert.AreEquivalent(serial, rows.SelectMany(r => r).ToArray());
    }

    [TestMethod]
    public void Preview_and_enumeration_see_the_output()
    {
        IDataView data = Patients();
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(s_model.Path).Fit(data);
        IDataView scored = model.Transform(data);
        Assert.HasCount(7, scored.Preview(7).RowView);
        Scored[] rows = [.. _ml.Data.CreateEnumerable<Scored>(scored, reuseRowObject: false)];
        ModelData.AssertReference(s_model, "logit", [.. rows.Select(r => r.Logit)]);
    }

    private IDataView Patients()
    {
        float[] features = s_model.Input("features").ToSingles();
        float[] labels = s_model.Labels().ToSingles();
        return _ml.Data.LoadFromEnumerable(labels.Select((label, i) => new Patient { Number = i, Label = label > 0, Features = features[(30 * i)..(30 * (i + 1))] }).ToArray());
    }

    private static void AssertRowsBelongTogether(IDataView scored)
    {
        float[] reference = s_model.Reference("logit").ToSingles();
        List<(DataViewRowId Id, float Number, float Logit)> rows = Read(scored, null);
        Assert.IsNotEmpty(rows);
        rows.ForEach(r => Assert.AreEqual(reference[(int)r.Number], r.Logit, s_model.Tolerance, $"Row {r.Number}"));
    }

    private static List<(DataViewRowId Id, float Number, float Logit)> Read(IDataView view, Random? random) =>
        Read(view.GetRowCursor([view.Schema["Number"], view.Schema["logit"]], random));

    private static List<(DataViewRowId Id, float Number, float Logit)> Read(DataViewRowCursor cursor)
    {
        using (cursor)
        {
            var rows = new List<(DataViewRowId, float, float)>();
            ValueGetter<DataViewRowId> id = cursor.GetIdGetter();
            ValueGetter<float> number = cursor.GetGetter<float>(cursor.Schema["Number"]);
            ValueGetter<VBuffer<float>> logit = cursor.GetGetter<VBuffer<float>>(cursor.Schema["logit"]);
            (DataViewRowId i, float n, VBuffer<float> l) = (default, 0, default);
            while (cursor.MoveNext())
            {
                id(ref i);
                number(ref n);
                logit(ref l);
                rows.Add((i, n, l.GetItemOrDefault(0)));
            }

            return rows;
        }
    }

    private sealed class Patient
    {
        public float Number { get; set; }

        public bool Label { get; set; }

        [ColumnName("features"), VectorType(30)]
        public float[] Features { get; set; } = [];
    }

    private sealed class Scored
    {
        [ColumnName("logit"), VectorType(1)]
        public float[] Logit { get; set; } = [];
    }
}
