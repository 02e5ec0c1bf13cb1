using System.Collections.Concurrent;
using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class ConcurrencyTests
{
    private readonly MLContext _ml = new(seed: 1);

    [TestMethod]
    [DataRow(1), DataRow(2), DataRow(4)]
    public void Cursors_read_in_turn_by_one_thread_do_not_starve_each_other(int setSize)
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView data = TestView.Features(50, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: setSize)).Fit(data);
        Soon.Ends(() =>
        {
            IDataView scored = model.Transform(data);
            DataViewRowCursor[] cursors = [.. Enumerable.Range(0, 5).Select(_ => scored.GetRowCursor(scored.Schema))];
            ValueGetter<VBuffer<float>>[] getters = Array.ConvertAll(cursors, c => c.GetGetter<VBuffer<float>>(scored.Schema["y"]));
            VBuffer<float> value = default;
            for (int row = 0; row < 50; row++)
            {
                for (int c = 0; c < cursors.Length; c++)
                {
                    Assert.IsTrue(cursors[c].MoveNext());
                    getters[c](ref value);
                    CollectionAssert.AreEqual(Rows.AffineOf(row, 3), value.DenseValues().ToArray(), $"Cursor {c}, row {row}");
                }
            }

            Array.ForEach(cursors, c => c.Dispose());
        });
    }

    [TestMethod]
    [DataRow(1), DataRow(2)]
    public void Cursors_of_many_threads_share_few_slots(int setSize)
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView data = TestView.Features(300, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: setSize)).Fit(data);
        Soon.Ends(() =>
        {
            Parallel.For(0, 12, new ParallelOptions { MaxDegreeOfParallelism = 6 }, _ => Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(TestView.Features(300, 3)), "y"), 300, 3));
            Assert.AreEqual(12 * 75, network.Runs);
        });
    }

    [TestMethod]
    [DataRow(1), DataRow(4)]
    public void A_model_may_read_from_itself(int setSize)
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView data = TestView.Features(50, 3);
        QaicEstimator estimator = _ml.Transforms.ApplyQaicModel(network.Options(setSize: setSize) with { OutputColumns = ["x"], OutputTensors = new Dictionary<string, string> { ["x"] = "y" } });
        using QaicTransformer first = estimator.Fit(data);
        using QaicTransformer second = estimator.Fit(data);
        Soon.Ends(() =>
        {
            // A row is skipped between the two, so that a batch of the second begins within a batch of the first.
            List<float[]> rows = Rows.ReadVectors<float>(second.Transform(_ml.Data.SkipRows(first.Transform(data), 1)), "x");
            for (int r = 1; r < 50; r++)
            {
                CollectionAssert.AreEqual(Rows.AffineOf(r, 3).Select(v => (2 * v) + 1).ToArray(), rows[r - 1]);
            }
        });
    }

    [TestMethod]
    [DataRow(1, 1), DataRow(1, 4), DataRow(4, 8)]
    public void Engines_over_a_model_that_reads_from_itself_share_few_slots(int setSize, int threads)
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView data = TestView.Features(50, 3);
        QaicEstimator estimator = _ml.Transforms.ApplyQaicModel(network.Options(setSize: setSize) with { OutputColumns = ["x"], OutputTensors = new Dictionary<string, string> { ["x"] = "y" } });
        using var chain = new TransformerChain<ITransformer>(estimator.Fit(data), estimator.Fit(data));
        Soon.Ends(() => Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, thread =>
        {
            using PredictionEngine<Vector3, Vector3> engine = new MLContext().Model.CreatePredictionEngine<Vector3, Vector3>(chain, new PredictionEngineOptions { OwnsTransformer = false });
            for (int i = 0; i < 50; i++)
            {
                float[] expected = Rows.AffineOf(i, 3).Select(v => (2 * v) + 1).ToArray();
                CollectionAssert.AreEqual(expected, engine.Predict(new Vector3 { X = [100f * i, (100f * i) + 1, (100f * i) + 2] }).X, $"Thread {thread}, row {i}");
            }
        }));
    }

    [TestMethod]
    [DataRow(1, 1), DataRow(4, 6)]
    public void A_source_may_predict_with_the_model_that_reads_it(int setSize, int threads)
    {
        using var network = TestNetwork.Affine(4, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: setSize)).Fit(TestView.Features(50, 3));
        Soon.Ends(() => Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, _ =>
        {
            var ml = new MLContext();
            using PredictionEngine<Vector3, Scored3> engine = ml.Model.CreatePredictionEngine<Vector3, Scored3>(model, new PredictionEngineOptions { OwnsTransformer = false });
            IDataView data = ml.Data.LoadFromEnumerable(Enumerable.Range(0, 50).Select(i =>
            {
                var row = new Vector3 { X = [100f * i, (100f * i) + 1, (100f * i) + 2] };
                CollectionAssert.AreEqual(Rows.AffineOf(i, 3), engine.Predict(row).Y);
                return row;
            }));
            Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(data), "y"), 50, 3);
        }));
    }

    [TestMethod]
    [DataRow(1), DataRow(2)]
    public void A_source_may_wait_for_another_thread_that_predicts_with_the_model_that_reads_it(int setSize)
    {
        using var network = TestNetwork.Affine(4, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: setSize)).Fit(TestView.Features(50, 3));
        Soon.Ends(() =>
        {
            for (int round = 0; round < 20; round++)
            {
                using var rows = new BlockingCollection<Vector3>(boundedCapacity: 1);
                // A task, not a thread: when this test fails, what the producer throws afterwards must not end the process.
                var producer = Task.Run(() =>
                {
                    using PredictionEngine<Vector3, Scored3> engine = new MLContext().Model.CreatePredictionEngine<Vector3, Scored3>(model, new PredictionEngineOptions { OwnsTransformer = false });
                    for (int i = 0; i < 50; i++)
                    {
                        var row = new Vector3 { X = [100f * i, (100f * i) + 1, (100f * i) + 2] };
                        engine.Predict(row);
                        rows.Add(row);
                    }

                    rows.CompleteAdding();
                });
                Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(new MLContext().Data.LoadFromEnumerable(rows.GetConsumingEnumerable())), "y"), 50, 3);
                producer.Wait();
            }
        });
    }

    [TestMethod]
    public void Leaving_at_any_row_gives_every_slot_and_the_source_back()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(50, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        for (int rows = 0; rows <= 21; rows++)
        {
            DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema);
            for (int r = 0; r < rows; r++)
            {
                Assert.IsTrue(cursor.MoveNext());
            }

            cursor.Dispose();
            cursor.Dispose();
            Assert.IsFalse(cursor.MoveNext());
            AssertAllSlotsAreFree(model.Session);
            Assert.AreEqual(0, data.OpenCursors);
        }
    }

    [TestMethod]
    public void A_cursor_at_its_end_has_given_everything_back()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(10, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options()).Fit(data);
        IDataView scored = model.Transform(data);
        using DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema);
        while (cursor.MoveNext())
        {
        }

        AssertAllSlotsAreFree(model.Session);
        Assert.AreEqual(0, data.OpenCursors);
    }

    [TestMethod]
    public void As_many_batches_as_there_are_slots_are_in_flight()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(100, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(activations: 2, setSize: 3)).Fit(data);
        IDataView scored = model.Transform(data);
        using DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema);
        Assert.IsTrue(cursor.MoveNext());

        // The first batch has come back, and its slot was used again.
        Assert.IsFalse(model.Session.TryRent(out _));
        Assert.AreEqual(4 * (6 + 1), data.RowsRead);
    }

    [TestMethod]
    public void A_reader_on_another_thread_is_served_while_a_cursor_rests()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(100, 3);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(network.Options(setSize: 2)).Fit(data);
        IDataView scored = model.Transform(data);
        using DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema);
        Assert.IsTrue(cursor.MoveNext());
        Soon.Ends(() => Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(TestView.Features(9, 3)), "y"), 9, 3));
        Assert.IsTrue(cursor.MoveNext());
    }

    [TestMethod]
    public void Transformers_of_one_estimator_share_a_session_and_the_last_gives_the_device_back()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(10, 3);
        QaicEstimator estimator = _ml.Transforms.ApplyQaicModel(network.Options() with { ModelPath = network.OnnxPath });
        QaicTransformer first = estimator.Fit(data);
        QaicTransformer second = estimator.Fit(data);
        Assert.AreSame(first.Session, second.Session);
        Rows.ReadVectors<float>(first.Transform(data), "y");
        first.Dispose();
        Rows.AssertAffine(Rows.ReadVectors<float>(second.Transform(data), "y"), 10, 3);
        second.Dispose();
        Assert.AreEqual(0, network.Platform.LiveObjects);
        using QaicTransformer third = estimator.Fit(data);
        Rows.AssertAffine(Rows.ReadVectors<float>(third.Transform(data), "y"), 10, 3);
        Assert.AreEqual(1, network.Compilations);
    }

    private static void AssertAllSlotsAreFree(Session session)
    {
        var slots = new List<Inference>();
        while (session.TryRent(out Inference slot))
        {
            slots.Add(slot);
        }

        slots.ForEach(s => s.Dispose());
        Assert.HasCount(session.MaxInFlight, slots);
    }

    private sealed class Vector3
    {
        [ColumnName("x"), VectorType(3)]
        public float[] X { get; set; } = [];
    }

    private sealed class Scored3
    {
        [ColumnName("y"), VectorType(3)]
        public float[] Y { get; set; } = [];
    }
}
