using System.Diagnostics;
using Digits;
using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML;

string data = Path.Combine(AppContext.BaseDirectory, "data");
var ml = new MLContext(seed: 1);

// 1. An ordinary ML.NET pipeline. Fit compiles the model into a QPC; Transform streams batches of rows through the card.
IDataView rows = ml.Data.Cache(ml.Data.LoadFromTextFile<Digit>(Path.Combine(data, "digits_test.csv"), separatorChar: ',', hasHeader: true));
var pipeline = ml.Transforms.Expression("image", "x => x / 16", nameof(Digit.Pixels))
    .Append(ml.Transforms.ApplyQaicModel("logits", "image", Path.Combine(data, "digits_cnn.onnx")));

long start = Stopwatch.GetTimestamp();
using var model = pipeline.Fit(rows);
TimeSpan fit = Stopwatch.GetElapsedTime(start);
QaicTransformer transformer = model.LastTransformer;

float[][] reference = Npy.ReadRows(Path.Combine(data, "digits_cnn_logits.npy"));

// The first pass loads the rows, activates the network and compiles the code; the speed is that of the passes after it.
const int Passes = 20;
IDataView scored = model.Transform(rows);
Scores scores = Report.WithProgress((Passes + 1) * reference.Length, progress =>
{
    Scores first = Score(scored, reference, progress);
    long started = Stopwatch.GetTimestamp();
    for (int pass = 0; pass < Passes; pass++)
    {
        first.Add(Score(scored, reference, progress));
    }

    first.RowsPerSecond = Passes * reference.Length / Stopwatch.GetElapsedTime(started).TotalSeconds;
    return first;
});

// 2. The same model, one row at a time.
using PredictionEngine<Digit, Prediction> engine = ml.Model.CreatePredictionEngine<Digit, Prediction>(model, new PredictionEngineOptions { OwnsTransformer = false });
Digit[] digits = [.. ml.Data.CreateEnumerable<Digit>(rows, reuseRowObject: false)];
Latencies single = Latencies.Measure(digits, digit => engine.Predict(digit));
Digit shown = digits[3];
Prediction prediction = engine.Predict(shown);

bool passed = scores.Accuracy >= 0.99 && scores.LargestDifference <= 1e-4 && scores.Rows == (Passes + 1) * reference.Length;
Report.Print(transformer, fit, scores, single, passed);
Report.Draw(shown, prediction);
return passed ? 0 : 1;

static Scores Score(IDataView scored, float[][] reference, Action progress)
{
    var scores = new Scores();
    DataViewSchema schema = scored.Schema;
    using DataViewRowCursor cursor = scored.GetRowCursor([schema["Label"], schema["logits"]]);
    ValueGetter<float> label = cursor.GetGetter<float>(schema["Label"]);
    ValueGetter<VBuffer<float>> logits = cursor.GetGetter<VBuffer<float>>(schema["logits"]);
    float expected = 0;
    VBuffer<float> row = default;
    while (cursor.MoveNext())
    {
        label(ref expected);
        logits(ref row);
        scores.Add((int)expected, row.GetValues(), reference[cursor.Position]);
        progress();
    }

    return scores;
}
