using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

// freshprocess <model> <data> <output column>
// Loads a model and a binary data view, and prints a column of float vectors, a row per line.
var ml = new MLContext();
ITransformer model = ml.Model.Load(args[0], out DataViewSchema _);
IDataView scored = model.Transform(ml.Data.LoadFromBinary(args[1]));
DataViewSchema.Column column = scored.Schema[args[2]];
using DataViewRowCursor cursor = scored.GetRowCursor([column]);
ValueGetter<VBuffer<float>> getter = cursor.GetGetter<VBuffer<float>>(column);
VBuffer<float> value = default;
while (cursor.MoveNext())
{
    getter(ref value);
    Console.WriteLine(string.Join(' ', value.DenseValues().Select(v => v.ToString("R", CultureInfo.InvariantCulture))));
}
