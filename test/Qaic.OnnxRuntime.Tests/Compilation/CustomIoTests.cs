using System.Runtime.InteropServices;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Engine;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Qpc;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Compilation;

[TestClass]
public sealed class CustomIoTests : IDisposable
{
    private const int Half = 10;
    private const int Rows = 4;
    private const int Columns = 37;

    private static readonly Platform s_platform = Platform.Simulated();

    private readonly TemporaryDirectory _directory = TemporaryDirectory.Create();

    public void Dispose() => _directory.Dispose();

    [TestMethod]
    [DataRow("float32", ElementType.Float32, 0f, 0), DataRow("float16", ElementType.Float16, 0f, 0), DataRow("bfloat16", ElementType.BFloat16, 0f, 0)]
    [DataRow("uint8", ElementType.UInt8Q, 0.0313725509f, 101), DataRow("uint8", ElementType.UInt8Q, 1f, 0), DataRow("int8", ElementType.Int8Q, 0.025f, -7), DataRow("int8", ElementType.Int8Q, 0.5f, 127)]
    public void An_input_in_another_precision_computes_what_ONNX_Runtime_computes_with_explicit_nodes(string precision, ElementType type, float scale, int offset)
    {
        using Session session = Open(Affine(), Entry("x", precision, scale, offset));
        TensorSpec x = session.Inputs[0];
        Assert.AreEqual(new TensorSpec("x", type, [Rows, Columns]) { Scale = scale, Offset = offset }, x);
        Assert.AreEqual(new TensorSpec("y", ElementType.Float32, [Rows, Columns]), session.Outputs[0]);

        float[] numbers = Numbers();
        byte[] elements = Reference(Quantized(type, scale, offset), MemoryMarshal.AsBytes<float>(numbers), ElementType.Float32, type);
        byte[] expected = Reference(WithEdges(type, scale, offset, ElementType.Float32, 0, 0), elements, type, ElementType.Float32);

        // As elements, as numbers, and as numbers over spans.
        Tensor tensor = Tensor.Zeros(x);
        elements.CopyTo(tensor.Bytes);
        CollectionAssert.AreEqual(expected, Run(session, tensor).Bytes.ToArray(), "elements");
        CollectionAssert.AreEqual(expected, Run(session, Tensor.Create(numbers, Rows, Columns)).Bytes.ToArray(), "numbers");
        float[] spans = new float[numbers.Length];
        session.Run<float, float>(numbers, spans);
        CollectionAssert.AreEqual(expected, MemoryMarshal.AsBytes<float>(spans).ToArray(), "spans");
    }

    [TestMethod]
    [DataRow("float32", ElementType.Float32, 0f, 0), DataRow("float16", ElementType.Float16, 0f, 0), DataRow("bfloat16", ElementType.BFloat16, 0f, 0)]
    [DataRow("uint8", ElementType.UInt8Q, 0.0313725509f, 101), DataRow("uint8", ElementType.UInt8Q, 1f, 0), DataRow("int8", ElementType.Int8Q, 0.025f, -7), DataRow("int8", ElementType.Int8Q, 0.5f, 127)]
    public async Task An_output_in_another_precision_is_what_ONNX_Runtime_computes_with_explicit_nodes(string precision, ElementType type, float scale, int offset)
    {
        using Session session = Open(Affine(), Entry("y", precision, scale, offset));
        TensorSpec y = session.Outputs[0];
        Assert.AreEqual(new TensorSpec("y", type, [Rows, Columns]) { Scale = scale, Offset = offset }, y);
        float[] numbers = Numbers();
        byte[] expected = Reference(WithEdges(ElementType.Float32, 0, 0, type, scale, offset), MemoryMarshal.AsBytes<float>(numbers), ElementType.Float32, type);
        Tensor actual = Run(session, Tensor.Create(numbers, Rows, Columns));
        Assert.AreEqual(type, actual.ElementType);
        CollectionAssert.AreEqual(expected, actual.Bytes.ToArray());

        byte[] asNumbers = Reference(Dequantized(type, scale, offset), expected, type, ElementType.Float32);
        CollectionAssert.AreEqual(asNumbers, actual.ToFloat32(y).Bytes.ToArray());
        float[] spans = new float[numbers.Length];
        await session.RunAsync<float, float>(numbers, spans, CancellationToken.None);
        CollectionAssert.AreEqual(asNumbers, MemoryMarshal.AsBytes<float>(spans).ToArray());
    }

    [TestMethod]
    [DataRow("float32", 0f, 0), DataRow("bfloat16", 0f, 0), DataRow("float16", 0f, 0), DataRow("uint8", 0.0625f, 128), DataRow("int8", 0.0625f, 0)]
    public void A_float16_model_takes_and_gives_every_precision(string precision, float scale, int offset)
    {
        string model = Graphs.Save(Graphs.Unary("Neg", Graphs.Value("x", Half, Rows, Columns), Graphs.Value("y", Half, Rows, Columns)), _directory.Path);
        using Session session = Open(model, Entry("x", precision, scale, offset), Entry("y", precision, scale, offset));

        // Multiples of 1/16 up to 4 are exact in all of these; and so the negative ones are.
        float[] numbers = [.. Enumerable.Range(0, Rows * Columns).Select(i => ((i % 127) - 63) / 16f)];
        Tensor y = Run(session, Tensor.Create(numbers, Rows, Columns));
        Assert.AreEqual(session.Outputs[0].ElementType, y.ElementType);
        CollectionAssert.AreEqual(numbers.Select(v => -v).ToArray(), y.ToFloat32(session.Outputs[0]).ToArray<float>());
    }

    [TestMethod]
    public void A_model_of_an_old_opset_is_quantized_like_any_other()
    {
        ModelProto proto = Graphs.Unary("Relu", Graphs.Value("x", Graphs.Float, 5), Graphs.Value("y", Graphs.Float, 5));
        proto.OpsetImport[0].Version = 7;
        using Session session = Open(Graphs.Save(proto, _directory.Path), Entry("x", "int8", 0.5f, 0), Entry("y", "uint8", 0.25f, 10));
        Tensor y = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new sbyte[] { -3, 0, 1, 5, 127 }) })["y"];
        CollectionAssert.AreEqual(new byte[] { 10, 10, 12, 20, 255 }, y.ToArray<byte>());
    }

    [TestMethod]
    public void An_input_that_is_an_output_too_comes_back_element_by_element()
    {
        ModelProto proto = Graphs.Model([Graphs.Node("Neg", ["x"], ["y"])], [Graphs.Value("x", Graphs.Float, 4)], [Graphs.Value("x", Graphs.Float, 4), Graphs.Value("y", Graphs.Float, 4)]);
        using Session session = Open(Graphs.Save(proto, _directory.Path), Entry("x", "uint8", 0.1f, 128));
        IReadOnlyDictionary<string, Tensor> outputs = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new byte[] { 0, 128, 129, 255 }) });
        CollectionAssert.AreEqual(new byte[] { 0, 128, 129, 255 }, outputs["x"].ToArray<byte>());
        CollectionAssert.AreEqual(new[] { 0.1f * 128, -0f, -0.1f, -0.1f * 127 }, outputs["y"].ToArray<float>());
    }

    [TestMethod]
    public void A_quarter_of_the_bytes_keeps_the_accuracy_of_a_trained_model()
    {
        TestModel model = ModelManifest.Get("digits_cnn");
        string name = model.Inputs[0];
        float[] images = model.Input(name).ToSingles();

        // The digits are sixteenths of 0 to 16, which codes hold exactly.
        using Session plain = new(model.Path, new QaicOptions { BatchSize = 16 }, s_platform);
        using Session codes = Open(model.Path, new QaicOptions { BatchSize = 16 }, Entry(name, "uint8", 1 / 16f, 0));
        Assert.AreEqual(plain.Inputs[0].ByteLength, 4 * codes.Inputs[0].ByteLength);
        int length = (int)plain.Inputs[0].ElementCount;
        float[] expected = new float[plain.Outputs[0].ElementCount];
        float[] actual = new float[expected.Length];
        for (int at = 0; at + length <= images.Length; at += length)
        {
            Assert.IsTrue(images.AsSpan(at, length).ToArray().All(v => (v * 16) == MathF.Round(v * 16) && v is >= 0 and <= 1));
            plain.Run<float, float>(images.AsSpan(at, length), expected);
            codes.Run<float, float>(images.AsSpan(at, length), actual);
            CollectionAssert.AreEqual(expected, actual);
        }
    }

    [TestMethod]
    public void A_run_with_conversions_allocates_nothing()
    {
        using var bench = Bench.Of(Affine(), Options(QaicOptions.Default, Entry("x", "uint8", 0.5f, 9), Entry("y", "float16")));
        bench.Input(0).Fill(9);
        bench.Execution.Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 200; i++)
        {
            bench.Execution.Run();
        }

        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before, "bytes in 200 runs");
    }

    [TestMethod]
    public void The_qpc_describes_the_hosts_side_with_scale_and_offset()
    {
        using var bench = Bench.Of(Affine(), Options(QaicOptions.Default, Entry("x", "uint8", 0.5f, 9), Entry("y", "float16")));
        NetworkBinding x = bench.Descriptor.Inputs[0];
        foreach (TensorDescriptor side in new[] { x.Initial, x.Transformed })
        {
            Assert.AreEqual("UInt8Q 0.5 9", FormattableString.Invariant($"{side.Type} {side.Scale} {side.Offset}"));
        }

        Assert.AreEqual(TransformKind.CopyDmaBuffer, x.Transforms.Single().Kind);
        Assert.AreEqual(0.5f, x.Transforms[0].Scale);
        Assert.AreEqual((uint)(Rows * Columns), bench.Descriptor.DmaBuffers[0].Size);
        Assert.AreEqual((uint)(Rows * Columns * 2), bench.Descriptor.DmaBuffers[1].Size);
        CompilationRecord? record = CompilationRecord.Read(bench.Qpc);
        Assert.AreEqual(Path.GetFileName(IoPath), record!.Options["custom_io_list_file"]);
    }

    [TestMethod]
    public void A_template_is_dumped_and_leaves_everything_as_it_is_when_fed_back()
    {
        string template = Path.Combine(_directory.Path, "template.yaml");
        ModelProto proto = Graphs.Model(
            [Graphs.Node("Gather", ["x", "ids"], ["y"]), Graphs.Node("Not", ["flags"], ["inverse"])],
            [Graphs.Value("x", Graphs.Float, 4, 2), Graphs.Value("ids", Graphs.Int64, 3), Graphs.Value("flags", Graphs.Bool, 2)], [Graphs.Value("y", Graphs.Float, 3, 2), Graphs.Value("inverse", Graphs.Bool, 2)]);
        string model = Graphs.Save(proto, _directory.Path);
        using (var plain = new Session(model, new QaicOptions { DumpCustomIoConfigTemplateFile = template }, s_platform))
        using (var again = new Session(model, new QaicOptions { CustomIoListFile = template }, s_platform))
        {
            CollectionAssert.AreEqual(plain.Inputs.Concat(plain.Outputs).ToArray(), again.Inputs.Concat(again.Outputs).ToArray());
        }

        Assert.AreEqual(
            " - IOName: x\n   Precision: float32\n\n - IOName: ids\n   Precision: int64\n\n - IOName: flags\n   Precision: uint8\n\n"
            + " - IOName: y\n   Precision: float32\n\n - IOName: inverse\n   Precision: uint8\n\n",
            File.ReadAllText(template));
    }

    [TestMethod]
    public void Mistakes_are_refused_before_anything_is_written()
    {
        string output = Path.Combine(_directory.Path, "qpc");
        string model = Affine();
        foreach ((string text, string message) in new[]
        {
            ("- {IOName: X1, Precision: float16}", "io.yaml(1,3): The model has no input or output 'X1'. Did you mean 'x'?"),
            ("- {IOName: x, Precision: mxint8}", "io.yaml(1,3): 'x' is asked for as mxint8"),
            ("- {IOName: x, Precision: uint8}", "io.yaml(1,3): 'x' is Float32 in the model, so uint8 needs Scale and Offset"),
            ("- {IOName: x, Precision: int32}", "io.yaml(1,3): 'x' is Float32 in the model and cannot be int32"),
            ("nonsense", "io.yaml(1,1): Here must be a sequence"),
        })
        {
            File.WriteAllText(IoPath, text);
            var e = Assert.ThrowsExactly<CompilationException>(() => Compile(model, output, new QaicOptions { CustomIoListFile = IoPath }));
            Assert.Contains(message, e.Message);
            Assert.IsFalse(Directory.Exists(output));
        }

        Assert.Contains("custom_io_list_file", Assert.ThrowsExactly<CompilationException>(() => Compile(model, output, new QaicOptions { CustomIoListFile = IoPath + ".no" })).Message);
        string nowhere = Path.Combine(_directory.Path, "no", "template.yaml");
        Assert.Contains("dump_custom_io_config_template_file", Assert.ThrowsExactly<IOException>(() => Compile(model, output, new QaicOptions { DumpCustomIoConfigTemplateFile = nowhere })).Message);
    }

    [TestMethod]
    public void Keys_that_are_not_understood_are_named_in_the_log_once()
    {
        var messages = new List<string>();
        using ILoggerFactory factory = LoggerFactory.Create(b => b.AddProvider(new Collector(messages)));
        File.WriteAllText(IoPath, "- {IOName: x, Precision: float16, Layout: NCHW}\n- {IOName: y, Precision: float16, Layout: NCHW, Kind: 1}\n");
        new EmbeddedCompiler().Compile(Affine(), Path.Combine(_directory.Path, "qpc"), new QaicOptions { CustomIoListFile = IoPath }, factory.CreateLogger("c"), CancellationToken.None);
        Assert.AreEqual($"The embedded compiler ignores keys of {IoPath} that it does not know: Layout, Kind", messages.Single(m => m.Contains("ignores", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void Tensors_of_other_types_than_the_buffers_and_float_are_refused()
    {
        using Session session = Open(Affine(), Entry("x", "uint8", 0.5f, 9));
        foreach (Tensor wrong in new[] { Tensor.Create(new sbyte[Rows * Columns], Rows, Columns), Tensor.Create(new float[Rows * Columns], Columns, Rows), Tensor.Create(new Half[Rows * Columns], Rows, Columns) })
        {
            Assert.Contains($"Input 'x' must be UInt8Q or Float32[4, 37], but is {wrong}", Assert.ThrowsExactly<ArgumentException>(() => Run(session, wrong)).Message);
        }

        Assert.ThrowsExactly<ArgumentException>(() => session.Run<Half, float>(new Half[Rows * Columns], new float[Rows * Columns]));
    }

    private string IoPath => Path.Combine(_directory.Path, "io.yaml");

    private static CustomIoEntry Entry(string name, string precision, float scale = 0, int offset = 0) =>
        scale == 0 ? new(name, precision) : new(name, precision) { Scale = scale, Offset = offset };

    // Beyond what the codes can hold on both sides, with zeros and infinities.
    private static float[] Numbers()
    {
        var random = new Random(5);
        return [0, -0f, float.PositiveInfinity, float.NegativeInfinity, .. Enumerable.Range(4, (Rows * Columns) - 4).Select(_ => (random.NextSingle() - 0.5f) * 12)];
    }

    private static Tensor Run(Session session, Tensor x) => session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"];

    private static void Compile(string model, string output, QaicOptions options) => new EmbeddedCompiler().Compile(model, output, options, NullLogger.Instance, CancellationToken.None);

    private QaicOptions Options(QaicOptions options, params CustomIoEntry[] entries)
    {
        new CustomIoFile(entries).Save(IoPath);
        return options with { CustomIoListFile = IoPath };
    }

    private Session Open(string model, params CustomIoEntry[] entries) => Open(model, QaicOptions.Default, entries);

    private Session Open(string model, QaicOptions options, params CustomIoEntry[] entries) => new(model, Options(options, entries), s_platform);

    // y = 3x + 1, column by column.
    private string Affine() => Graphs.Save(Graphs.Model([.. Core("x", "y")], [Graphs.Value("x", Graphs.Float, Rows, Columns)], [Graphs.Value("y", Graphs.Float, Rows, Columns)], Weights()), _directory.Path);

    private static NodeProto[] Core(string x, string y) => [Graphs.Node("Mul", [x, "w"], ["wx"]), Graphs.Node("Add", ["wx", "b"], [y])];

    private static TensorProto[] Weights() =>
        [Graphs.Weights("w", [Columns], [.. Enumerable.Range(0, Columns).Select(i => 0.9f + (i * 0.01f))]), Graphs.Weights("b", [Columns], [.. Enumerable.Range(0, Columns).Select(i => i * 0.02f)])];

    // The same with the conversions written into the graph.
    private static ModelProto WithEdges(ElementType from, float scaleFrom, int offsetFrom, ElementType to, float scaleTo, int offsetTo)
    {
        (NodeProto[] before, TensorProto[] constantsBefore) = Dequantize("x", "real", from, scaleFrom, offsetFrom);
        (NodeProto[] after, TensorProto[] constantsAfter) = Quantize("result", "y", to, scaleTo, offsetTo);
        return Graphs.Model(
            [.. before, .. Core("real", "result"), .. after], [Graphs.Value("x", OnnxType(from), Rows, Columns)], [Graphs.Value("y", OnnxType(to), Rows, Columns)],
            [.. Weights(), .. constantsBefore, .. constantsAfter]);
    }

    private static ModelProto Quantized(ElementType to, float scale, int offset)
    {
        (NodeProto[] nodes, TensorProto[] constants) = Quantize("x", "y", to, scale, offset);
        return Graphs.Model(nodes, [Graphs.Value("x", Graphs.Float, Rows, Columns)], [Graphs.Value("y", OnnxType(to), Rows, Columns)], constants);
    }

    private static ModelProto Dequantized(ElementType from, float scale, int offset)
    {
        (NodeProto[] nodes, TensorProto[] constants) = Dequantize("x", "y", from, scale, offset);
        return Graphs.Model(nodes, [Graphs.Value("x", OnnxType(from), Rows, Columns)], [Graphs.Value("y", Graphs.Float, Rows, Columns)], constants);
    }

    private static (NodeProto[] Nodes, TensorProto[] Constants) Dequantize(string x, string y, ElementType type, float scale, int offset) => type is not (ElementType.UInt8Q or ElementType.Int8Q)
        ? ([Cast(x, y, Graphs.Float)], [])
        : ([Graphs.Node("DequantizeLinear", [x, "in_scale", "in_zero"], [y])], [Graphs.Weights("in_scale", [], [scale]), Code("in_zero", type, offset)]);

    // QuantizeLinear rounds before it adds the offset; the card's rule is to add first, and the two differ where the quotient is a tie.
    private static (NodeProto[] Nodes, TensorProto[] Constants) Quantize(string x, string y, ElementType type, float scale, int offset) => type is not (ElementType.UInt8Q or ElementType.Int8Q)
        ? ([Cast(x, y, OnnxType(type))], [])
        : (
            [
                Graphs.Node("Div", [x, "out_scale"], ["quotient"]), Graphs.Node("Add", ["quotient", "out_zero"], ["shifted"]), Graphs.Node("Round", ["shifted"], ["rounded"]),
                Graphs.Node("Clip", ["rounded", "lowest", "highest"], ["code"]), Cast("code", y, OnnxType(type)),
            ],
            [
                Graphs.Weights("out_scale", [], [scale]), Graphs.Weights("out_zero", [], [offset]),
                Graphs.Weights("lowest", [], [type == ElementType.UInt8Q ? 0 : -128]), Graphs.Weights("highest", [], [type == ElementType.UInt8Q ? 255 : 127]),
            ]);

    private static NodeProto Cast(string x, string y, int type) => Graphs.Node("Cast", [x], [y], SymbolTests.Integer("to", type));

    private static TensorProto Code(string name, ElementType type, int value) =>
        new() { Name = name, DataType = OnnxType(type), RawData = ByteString.CopyFrom(unchecked((byte)value)) };

    private static int OnnxType(ElementType type) => type switch
    {
        ElementType.Float16 => Half,
        ElementType.BFloat16 => 16,
        ElementType.UInt8Q => 2,
        ElementType.Int8Q => 3,
        _ => Graphs.Float,
    };

    private static byte[] Reference(ModelProto model, ReadOnlySpan<byte> x, ElementType from, ElementType to)
    {
        using var options = new SessionOptions { GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL };
        using var session = new InferenceSession(model.ToByteArray(), options);
        using OrtValue input = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, (Microsoft.ML.OnnxRuntime.Tensors.TensorElementType)OnnxType(from), [Rows, Columns]);
        x.CopyTo(input.GetTensorMutableRawData());
        using var run = new RunOptions();
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(run, ["x"], [input], ["y"]);
        byte[] y = outputs[0].GetTensorMutableRawData().ToArray();
        Assert.HasCount(Rows * Columns * to.SizeInBytes(), y);
        return y;
    }

    private sealed class Collector(List<string> messages) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (messages)
            {
                messages.Add(formatter(state, exception));
            }
        }

        public void Dispose()
        {
        }
    }
}
