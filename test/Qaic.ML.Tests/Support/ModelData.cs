using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.TestSupport;

namespace Qaic.ML.Tests.Support;

/// <summary>The trained models of the test data, as ML.NET sees them.</summary>
internal static class ModelData
{
    public static IEnumerable<object[]> All => ModelManifest.Models.Select(m => new object[] { m.Name });

    /// <summary>The test split: a vector column per input, flat, and <c>row</c>.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">Rows to take; null for all.</param>
    /// <param name="group">Test rows per row of the data; more than 1 for a model that takes a whole batch in one column.</param>
    public static TestView View(TestModel model, int? rows = null, int group = 1) => new(
        (rows ?? model.RowCount) / group,
        [.. model.Inputs.Select(input => Column(input, model.Input(input), group)), TestColumn.Of("row", NumberDataViewType.Int32, r => (int)r)]);

    /// <summary>The rows to calibrate with: a vector column per input, flat.</summary>
    public static TestView CalibrationView(TestModel model)
    {
        Npy[] inputs = [.. model.Inputs.Select(input => model.CalibrationInput(input))];
        return new TestView(inputs[0].Rows, [.. model.Inputs.Zip(inputs).Select(i => Column(i.First, i.Second, group: 1))]);
    }

    /// <summary>Options that every model compiles with.</summary>
    public static QaicOptions Options(TestModel model) => model.Name == "langid_dyn"
        ? new QaicOptions { OnnxDefineSymbol = QaicOptions.Default.OnnxDefineSymbol.Add("sequence", 32) }
        : QaicOptions.Default;

    /// <summary>Checks a column of the test split against the reference.</summary>
    public static Npy AssertReference(TestModel model, string output, IReadOnlyList<float[]> rows)
    {
        float[] expected = model.Reference(output).ToSingles();
        float[] actual = [.. rows.SelectMany(r => r)];
        AssertClose(expected, actual, model.Tolerance, $"{model}, {output}");
        return new Npy(ElementType.Float32, [rows.Count, actual.Length / rows.Count], MemoryMarshal.AsBytes<float>(actual).ToArray());
    }

    public static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, float tolerance, string what)
    {
        Assert.AreEqual(expected.Length, actual.Length, what);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.AreEqual(expected[i], actual[i], tolerance, $"{what}, element {i}");
        }
    }

    private static TestColumn Column(string name, Npy data, int group) => data.Type switch
    {
        ElementType.Float32 => Column<float>(name, NumberDataViewType.Single, data, group),
        ElementType.Int64 => Column<long>(name, NumberDataViewType.Int64, data, group),
        ElementType.UInt8 => Column<byte>(name, NumberDataViewType.Byte, data, group),
        ElementType.Float16 => Column<float>(name, NumberDataViewType.Single, new Npy(ElementType.Float32, data.Shape, MemoryMarshal.AsBytes<float>(data.ToSingles()).ToArray()), group),
        _ => throw new NotSupportedException($"{name} is {data.Type}."),
    };

    private static TestColumn Column<T>(string name, PrimitiveDataViewType item, Npy data, int group) where T : unmanaged
    {
        int width = data.As<T>().Length / data.Rows * group;
        return TestColumn.Vector(name, new VectorDataViewType(item, width), r => data.As<T>().Slice((int)r * width, width).ToArray());
    }
}
