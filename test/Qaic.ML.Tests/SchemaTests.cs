using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using Qaic.ML.Tests.Support;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class SchemaTests
{
    private readonly MLContext _ml = new(seed: 1);

    [TestMethod]
    public void A_missing_column_is_reported_in_MLNETs_words_by_estimator_and_transformer()
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView empty = new TestView(1, TestColumn.Of("other", NumberDataViewType.Single, _ => 0f));
        QaicEstimator estimator = _ml.Transforms.ApplyQaicModel(network.Options());
        const string Message = "Could not find input column 'x' (Parameter 'inputSchema')";
        Assert.AreEqual(Message, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => estimator.Fit(empty)).Message);
        Assert.AreEqual(Message, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Chain(estimator).Fit(empty)).Message);
    }

    [TestMethod]
    public void Doubles_are_refused_in_MLNETs_words_by_estimator_and_transformer()
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView doubles = new TestView(1, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Double, 3), _ => new double[3]));
        QaicEstimator estimator = _ml.Transforms.ApplyQaicModel(network.Options());
        const string Message = "Schema mismatch for input column 'x': expected Single, got Double (Parameter 'inputSchema')";
        Assert.AreEqual(Message, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => estimator.Fit(doubles)).Message);
        Assert.AreEqual(Message, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Chain(estimator).Fit(doubles)).Message);
    }

    [TestMethod]
    public void Text_is_refused_with_a_hint()
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView text = new TestView(1, TestColumn.Of("x", TextDataViewType.Instance, _ => "".AsMemory()));
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _ml.Transforms.ApplyQaicModel(network.Options()).Fit(text));
        Assert.StartsWith("Schema mismatch for input column 'x': expected Single, got String. The card has no strings", e.Message);
    }

    [TestMethod]
    public void A_vector_of_another_size_is_refused_with_both_types()
    {
        using var network = TestNetwork.Affine(4, 2, 3);
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _ml.Transforms.ApplyQaicModel(network.Options()).Fit(TestView.Features(1, 7)));
        Assert.AreEqual("Schema mismatch for input column 'x': expected Vector<Single, 1, 2, 3>, got Vector<Single, 7> (Parameter 'inputSchema')", e.Message);
    }

    [TestMethod]
    public void A_tensor_that_does_not_exist_is_reported_with_those_that_do()
    {
        using var network = TestNetwork.Affine(4, 3);
        QaicEstimator estimator = _ml.Transforms.ApplyQaicModel(network.Options() with { OutputColumns = ["z"] });
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => estimator.Fit(TestView.Features(1, 3)));
        Assert.Contains("The model has no output 'z'; it has: y Float32[4, 3].", e.Message);
    }

    [TestMethod]
    public void An_input_without_a_column_is_reported()
    {
        using var network = new TestNetwork([new("a", ElementType.Float32, [2]), new("b", ElementType.Float32, [2])], [new("y", ElementType.Float32, [2])], _ => { });
        QaicEstimator estimator = _ml.Transforms.ApplyQaicModel(network.Options() with { InputColumns = ["a"] });
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => estimator.Fit(TestView.Features(1, 3)));
        Assert.Contains("The model's input 'b' has no column.", e.Message);
    }

    [TestMethod]
    public void The_shape_that_an_estimator_promises_is_the_schema_that_its_transformer_keeps()
    {
        TensorSpec[] outputs = [new("vector", ElementType.Float32, [4, 3]), new("scalar", ElementType.Int64, []), new("flags", ElementType.UInt8, [4]) { IsBoolean = true }];
        using var network = new TestNetwork([new("x", ElementType.Float32, [4, 3])], outputs, _ => { });
        TestView data = TestView.Features(1, 12);
        QaicEstimator estimator = _ml.Transforms.ApplyQaicModel(network.Options());
        using QaicTransformer model = estimator.Fit(data);
        SchemaShape promised = estimator.GetOutputSchema(SchemaShapes.Of(data.Schema));
        SchemaShape kept = SchemaShapes.Of(model.GetOutputSchema(data.Schema));
        CollectionAssert.AreEquivalent(kept.Select(Describe).ToArray(), promised.Select(Describe).ToArray());
        CollectionAssert.Contains(kept.Select(Describe).ToArray(), "scalar: Scalar Int64");
    }

    [TestMethod]
    public void Types_that_ML_NET_lacks_are_refused()
    {
        using var network = new TestNetwork([new("x", ElementType.Complex64, [4, 3])], [new("y", ElementType.Float32, [4, 3])], _ => { });
        var e = Assert.ThrowsExactly<NotSupportedException>(() => _ml.Transforms.ApplyQaicModel(network.Options()).Fit(TestView.Features(1, 3)));
        Assert.Contains("Tensor 'x' has elements of Complex64", e.Message);
    }

    [TestMethod]
    public void A_missing_file_is_reported_at_once()
    {
        var e = Assert.ThrowsExactly<FileNotFoundException>(() => _ml.Transforms.ApplyQaicModel("no/such/model.onnx"));
        Assert.Contains("no/such/model.onnx", e.Message);
    }

    [TestMethod]
    public void One_model_has_to_be_given()
    {
        Assert.ThrowsExactly<ArgumentException>(() => _ml.Transforms.ApplyQaicModel(new QaicModelOptions()));
        Assert.ThrowsExactly<ArgumentException>(() => _ml.Transforms.ApplyQaicModel(new QaicModelOptions { ModelPath = "a", Model = Stream.Null }));
        Assert.ThrowsExactly<ArgumentNullException>(() => _ml.Transforms.ApplyQaicModel((Stream)null!));
        Assert.ThrowsExactly<ArgumentException>(() => _ml.Transforms.ApplyQaicModel(" "));
    }

    private EstimatorChain<ColumnCopyingTransformer> Chain(QaicEstimator estimator) => estimator.Append(_ml.Transforms.CopyColumns("copy", "y"));

    private static string Describe(SchemaShape.Column column) => $"{column.Name}: {column.Kind} {column.ItemType}{(column.IsKey ? " key" : "")}";
}
