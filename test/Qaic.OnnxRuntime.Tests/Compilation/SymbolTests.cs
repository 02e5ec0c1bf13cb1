using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Qpc;

namespace Qaic.OnnxRuntime.Tests.Compilation;

[TestClass]
public sealed class SymbolTests : IDisposable
{
    private readonly TemporaryDirectory _directory = TemporaryDirectory.Create();

    public void Dispose() => _directory.Dispose();

    [TestMethod]
    [DataRow("N")]
    [DataRow("")]
    public void A_free_dimension_that_leads_all_is_a_batch_of_32(string symbol)
    {
        NetworkDescriptor network = Compile(Relu([symbol, 4]), QaicOptions.Default);
        Assert.AreEqual(32, network.BatchSize);
        Assert.AreEqual("32, 4", string.Join(", ", network.Inputs[0].Initial.Dims));
        Assert.AreEqual("32, 4", string.Join(", ", network.Outputs[0].Initial.Dims));
    }

    [TestMethod]
    [DataRow("N")]
    [DataRow("")]
    public void BatchSize_gives_the_batch_its_length(string symbol) => Assert.AreEqual(7, Compile(Relu([symbol, 4]), new() { BatchSize = 7 }).BatchSize);

    [TestMethod]
    [DataRow("first")]
    [DataRow("cumulative")]
    public void Rows_whose_place_matters_are_not_put_into_a_batch_that_nobody_asked_for(string how)
    {
        TensorProto zero = Graphs.Int64s("zero", 0);
        NodeProto[] nodes = how == "first"
            ? [Graphs.Node("Gather", ["x", "zero"], ["row"]), Graphs.Node("Sub", ["x", "row"], ["y"])]
            : [Graphs.Node("Squeeze", ["zero"], ["axis"]), Graphs.Node("CumSum", ["x", "axis"], ["y"])];
        ModelProto model = Graphs.Model(nodes, [Graphs.Value("x", Graphs.Float, ["N", 4])], [Graphs.Value("y", Graphs.Float, ["N", 4])], zero);
        Assert.AreEqual(1, Compile(model, QaicOptions.Default).BatchSize);
    }

    [TestMethod]
    public void Rows_that_influence_each_other_are_not_put_into_a_batch_that_nobody_asked_for()
    {
        ModelProto centred = Graphs.Model(
            [Graphs.Node("ReduceMean", ["x"], ["mean"]), Graphs.Node("Sub", ["x", "mean"], ["y"])],
            [Graphs.Value("x", Graphs.Float, ["N", 4])],
            [Graphs.Value("y", Graphs.Float, ["N", 4])]);
        Assert.AreEqual(1, Compile(centred, QaicOptions.Default).BatchSize);
        Assert.AreEqual(32, Compile(centred, new() { BatchSize = 32 }).BatchSize);
    }

    [TestMethod]
    public void A_defined_symbol_wins_over_BatchSize() => Assert.AreEqual(5, Compile(Relu(["N", 4]), Define(("N", 5)) with { BatchSize = 7 }).BatchSize);

    [TestMethod]
    public void BatchSize_may_repeat_a_fixed_batch() => Assert.AreEqual(8, Compile(Relu([8, 4]), new() { BatchSize = 8 }).BatchSize);

    [TestMethod]
    public void BatchSize_that_contradicts_a_fixed_batch_is_refused() =>
        Refused(Relu([8, 4]), new() { BatchSize = 7 }, "BatchSize (batch_size) is 7", "fixed at 8", "x float[8, 4]");

    [TestMethod]
    public void BatchSize_for_a_model_without_a_batch_is_refused() => Refused(
        Graphs.Model([Graphs.Node("MatMul", ["a", "b"], ["y"])], [Graphs.Value("a", Graphs.Float, "M", 4), Graphs.Value("b", Graphs.Float, 4, 3)], [Graphs.Value("y", Graphs.Float, "M", 3)]),
        new() { BatchSize = 2 },
        "has no batch",
        "a float[M, 4]; b float[4, 3]");

    [TestMethod]
    public void A_symbol_without_a_value_is_named_with_its_input_and_the_option() =>
        Refused(Relu(["N", "sequence"]), QaicOptions.Default, "'x float[N, sequence]'", "'sequence'", "OnnxDefineSymbol", "onnx_define_symbol", "-onnx-define-symbol=sequence,32");

    [TestMethod]
    public void A_symbol_that_leads_only_one_input_is_no_batch() => Refused(
        Graphs.Model([Graphs.Node("MatMul", ["a", "b"], ["y"])], [Graphs.Value("a", Graphs.Float, "M", 4), Graphs.Value("b", Graphs.Float, 4, 3)], [Graphs.Value("y", Graphs.Float, "M", 3)]),
        QaicOptions.Default,
        "'a float[M, 4]'",
        "symbol 'M'");

    [TestMethod]
    public void A_symbol_of_a_square_is_no_batch() => Refused(Relu(["N", "N"]), QaicOptions.Default, "symbol 'N'");

    [TestMethod]
    public void A_dimension_without_length_and_name_is_named() => Refused(Relu(["N", ""]), QaicOptions.Default, "dimension 1 has neither a length nor a name");

    [TestMethod]
    public void A_defined_symbol_that_the_model_lacks_is_refused_with_the_nearest() =>
        Refused(Relu(["N", "sequence"]), Define(("sequence", 4), ("sequnce", 4)), "defines 'sequnce'", "'N', 'sequence'", "Did you mean 'sequence'?");

    [TestMethod]
    public void A_defined_symbol_of_a_model_without_symbols_is_refused() => Refused(Relu([1, 4]), Define(("N", 1)), "It has none");

    [TestMethod]
    public void A_symbol_of_an_output_that_comes_out_otherwise_is_refused() => Refused(
        Graphs.Model([Graphs.Node("Concat", ["x", "x"], ["y"], Axis(1))], [Graphs.Value("x", Graphs.Float, 2, 4)], [Graphs.Value("y", Graphs.Float, 2, "twice")]),
        Define(("twice", 9)),
        "Output 'y'",
        "'twice', which is 9",
        "[2, 8]");

    [TestMethod]
    public void A_declared_output_without_the_batch_makes_the_symbol_one_to_define()
    {
        ModelProto sum = Graphs.Unary("ReduceSum", Graphs.Value("x", Graphs.Float, "N", 4), Graphs.Value("y", Graphs.Float, 1, 1));
        Refused(sum, QaicOptions.Default, "symbol 'N'");
        Assert.AreEqual(1, Compile(sum, Define(("N", 6))).BatchSize);
    }

    [TestMethod]
    public void An_undeclared_output_without_the_batch_is_named()
    {
        ModelProto sum = Graphs.Unary("ReduceSum", Graphs.Value("x", Graphs.Float, "N", 4), Graphs.Shapeless("y", Graphs.Float));
        Refused(sum, QaicOptions.Default, "output 'y'", "[1, 1]", "symbol 'N'");
        Assert.AreEqual("6, 4", string.Join(", ", Compile(sum, new() { BatchSize = 6 }).Inputs[0].Initial.Dims));
    }

    [TestMethod]
    public void An_output_whose_size_depends_on_the_data_is_named() => Refused(
        Graphs.Unary("NonZero", Graphs.Value("x", Graphs.Float, 2, 4), Graphs.Value("found", Graphs.Int64, 2, "count")), QaicOptions.Default, "Output 'found'", "[2, ?]", "its size is not known");

    [TestMethod]
    public void An_input_without_a_shape_is_named() =>
        Refused(Graphs.Unary("Relu", Graphs.Shapeless("x", Graphs.Float), Graphs.Shapeless("y", Graphs.Float)), QaicOptions.Default, "Input 'x'", "has no shape");

    [TestMethod]
    [DataRow(Graphs.Double, "double", "Cast it to float")]
    [DataRow(Graphs.String, "string", "Turn text into numbers")]
    [DataRow(4, "uint16", "Cast it to int32")]
    [DataRow(13, "uint64", "Cast it to int64")]
    public void A_type_that_no_buffer_carries_is_named_with_a_remedy(int type, string name, string remedy)
    {
        Refused(Graphs.Unary("Identity", Graphs.Value("x", type, 2), Graphs.Value("y", type, 2)), QaicOptions.Default, "Input 'x'", name, remedy);
        ModelProto output = Graphs.Model([Graphs.Node("Cast", ["x"], ["y"], To(type))], [Graphs.Value("x", Graphs.Float, 2)], [Graphs.Value("y", type, 2)]);
        Refused(output, QaicOptions.Default, "Output 'y'", name, remedy);
    }

    [TestMethod]
    public void A_sequence_is_refused()
    {
        var sequence = new ValueInfoProto { Name = "s", Type = new TypeProto { SequenceType = Google.Protobuf.ByteString.CopyFrom([10, 4, 10, 2, 8, 1]) } };
        Refused(Graphs.Model([Graphs.Node("SequenceConstruct", ["x"], ["s"])], [Graphs.Value("x", Graphs.Float, 2)], [sequence]), QaicOptions.Default, "Output 's'", "'sequence'");
    }

    [TestMethod]
    public void An_operator_that_does_not_exist_is_refused_in_ONNX_Runtimes_words() =>
        Refused(Graphs.Unary("Reluu", Graphs.Value("x", Graphs.Float, 2), Graphs.Value("y", Graphs.Float, 2)), QaicOptions.Default, "ONNX Runtime", "Reluu");

    private static ModelProto Relu(object[] dims) => Graphs.Unary("Relu", Graphs.Value("x", Graphs.Float, dims), Graphs.Value("y", Graphs.Float, dims));

    private static AttributeProto Axis(int axis) => Integer("axis", axis);

    private static AttributeProto To(int type) => Integer("to", type);

    // Fields i (3) and type (20, INT = 2) are outside the project's subset of the format.
    internal static AttributeProto Integer(string name, int value) => AttributeProto.Parser.ParseFrom([10, (byte)name.Length, .. System.Text.Encoding.ASCII.GetBytes(name), 24, (byte)value, 0xA0, 1, 2]);

    private static QaicOptions Define(params (string Symbol, int Value)[] symbols) => new() { OnnxDefineSymbol = symbols.ToImmutableDictionary(s => s.Symbol, s => s.Value) };

    private NetworkDescriptor Compile(ModelProto model, QaicOptions options)
    {
        string path = new EmbeddedCompiler().Compile(Graphs.Save(model, _directory.Path), Path.Combine(_directory.Path, "out"), options, NullLogger.Instance, CancellationToken.None);
        using var qpc = QpcFile.Open(path);
        return qpc.ReadNetworkDescriptor();
    }

    private void Refused(ModelProto model, QaicOptions options, params string[] words)
    {
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile(model, options));
        foreach (string word in words)
        {
            StringAssert.Contains(e.Message, word);
        }

        Assert.IsFalse(Directory.Exists(Path.Combine(_directory.Path, "out")), "nothing is written before all is known to be right");
    }
}
