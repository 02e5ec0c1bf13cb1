using System.Text;
using Qaic.Compilation;

namespace Qaic.Tests.Compilation;

[TestClass]
public sealed class CustomIoFileTests
{
    // As Qualcomm's exporter of language models writes it.
    private const string Exported = " - IOName: past_key.0\n   Precision: mxint8\n\n - IOName: past_key.0_RetainedState\n   Precision: mxint8\n\n";

    private static readonly TensorSpec[] s_tensors =
    [
        new("image", ElementType.Float32, [4, 3]), new("ids", ElementType.Int64, [4]), new("mask", ElementType.UInt8, [4]) { IsBoolean = true }, new("scores", ElementType.Float16, [4, 10]),
    ];

    [TestMethod]
    public void The_vendors_own_file_is_read_and_written_byte_for_byte()
    {
        var file = CustomIoFile.Parse(Exported);
        Assert.AreEqual("past_key.0 mxint8, past_key.0_RetainedState mxint8", string.Join(", ", file.Entries.Select(e => $"{e.IoName} {e.Precision}")));
        Assert.AreEqual(Exported, file.ToYaml());
        Assert.AreEqual(Exported, new CustomIoFile(new CustomIoEntry("past_key.0", "mxint8"), new CustomIoEntry("past_key.0_RetainedState", "mxint8")).ToYaml());
    }

    [TestMethod]
    public void Every_way_to_write_it_down_is_the_same_file()
    {
        CustomIoEntry[] expected = [new("image", "uint8") { Scale = 0.5f, Offset = 128 }, new("scores", "float32")];
        foreach (string text in new[]
        {
            "- IOName: image\n  Precision: uint8\n  Scale: 0.5\n  Offset: 128\n- IOName: scores\n  Precision: float32\n",
            "# made by hand\n---\r\n- IOName: \"image\"\r\n  precision: UINT8\r\n  OFFSET: +128\r\n  scale: 5e-1\r\n- Precision: float\r\n  ioname: 'scores'\r\n...\r\n",
            "[{IOName: image, Precision: uint8, Scale: .5, Offset: 128}, {Precision: float32, IOName: scores}]",
            "\ufeff- {IOName: image, Scale: 0.5, Precision: uint8, Offset: 128}\n- {Precision: float32, IOName: scores}",
        })
        {
            CollectionAssert.AreEqual(expected, CustomIoFile.Parse(text).Entries.Select(e => e with { Line = 0, Column = 0 }).ToArray(), text);
        }
    }

    [TestMethod]
    public void What_is_not_understood_survives_reading_and_writing()
    {
        const string text = "- Layout:\n    Model: NCHW\n    'Custom': \"N: HWC\"\n  IOName: image\n  Shape: [1, [2, '3'], {a: ~, b: }]\n  Precision: float16\n  Note: >\n    two\n    words\n";
        var file = CustomIoFile.Parse(text);
        Assert.AreEqual(
            "Layout={Model: NCHW, Custom: \"N: HWC\"}|Shape=[1, [2, \"3\"], {a: ~, b: ~}]|Note=\"two words\\u000a\"", string.Join('|', file.Entries[0].OtherKeys.Select(k => $"{k.Key}={k.Value}")));
        string written = file.ToYaml();
        StringAssert.StartsWith(written, " - IOName: image\n   Precision: float16\n   Layout: {Model: NCHW, Custom: \"N: HWC\"}\n");
        Assert.AreEqual(written, CustomIoFile.Parse(written).ToYaml());
    }

    [TestMethod]
    [DataRow("/model/layer.0/Gather_output_0", "/model/layer.0/Gather_output_0"), DataRow("1104", "1104"), DataRow("a:b", "a:b"), DataRow("a#b", "a#b")]
    [DataRow("a: b", "\"a: b\""), DataRow("a #b", "\"a #b\""), DataRow("-x", "\"-x\""), DataRow(" x", "\" x\""), DataRow("x:", "\"x:\""), DataRow("{x}", "\"{x}\"")]
    [DataRow("\"\\", "\"\\\"\\\\\""), DataRow("a\nb\tc", "\"a\\u000ab\\u0009c\""), DataRow("...", "\"...\""), DataRow("größe", "größe"), DataRow("🙂", "\"🙂\"")]
    public void Names_are_quoted_only_where_they_would_read_back_otherwise(string name, string written)
    {
        string text = new CustomIoFile(new CustomIoEntry(name, "float16")).ToYaml();
        Assert.AreEqual($" - IOName: {written}\n   Precision: float16\n\n", text);
        Assert.AreEqual(name, CustomIoFile.Parse(text).Entries[0].IoName);
    }

    [TestMethod]
    public void Scales_come_back_to_the_last_bit()
    {
        var random = new Random(3);
        for (int i = 0; i < 500; i++)
        {
            float scale = Math.Abs(BitConverter.Int32BitsToSingle(random.Next()));
            if (scale > 0 && float.IsFinite(scale))
            {
                var entry = new CustomIoEntry("x", "int8") { Scale = scale, Offset = random.Next(-128, 128) };
                Assert.AreEqual(entry, CustomIoFile.Parse(new CustomIoFile(entry).ToYaml()).Entries[0] with { Line = 0, Column = 0 });
            }
        }
    }

    [TestMethod]
    [DataRow("", "io.yaml(1,1): The file is empty")]
    [DataRow("# nothing\n", "The file is empty")]
    [DataRow("IOName: x\nPrecision: int8\n", "io.yaml(1,1): Here must be a sequence of entries")]
    [DataRow("- IOName: x\n  Precision: float16\n- x\n", "io.yaml(3,3): Here must be an entry")]
    [DataRow("- IOName: x\n", "io.yaml(1,3): The entry of 'x' has no Precision")]
    [DataRow("- IOName: x\n  Precison: int8\n", "Is 'Precison' meant to be it?")]
    [DataRow("- Precision: int8\n", "io.yaml(1,3): The entry has no IOName")]
    [DataRow("- IOName: ''\n  Precision: int8\n", "io.yaml(1,11): IOName is empty")]
    [DataRow("- IOName: [x]\n  Precision: int8\n", "io.yaml(1,11): Here must be the name of an input or output")]
    [DataRow("- IOName: x\n  Precision: flota16\n", "io.yaml(2,14): 'flota16' is no precision. Did you mean 'float16'?")]
    [DataRow("- IOName: x\n  Precision: float16\n\n- IOName: x\n  Precision: float16\n", "io.yaml(4,3): 'x' has an entry already, in line 1")]
    [DataRow("- IOName: x\n  Precision: float16\n  precision: int8\n", "io.yaml(3,3): The entry has the key 'precision' twice")]
    [DataRow("- IOName: x\n  Precision: float16\n  L: {a: 1, a: 2}\n", "io.yaml(3,13): The key 'a' comes twice")]
    [DataRow("- IOName: x\n  Precision: uint8\n  Scale: a\n  Offset: 0\n", "io.yaml(3,10): Scale is 'a'; it must be a number")]
    [DataRow("- IOName: x\n  Precision: uint8\n  Scale: 1,5\n  Offset: 0\n", "Scale is '1,5'; it must be a number, with a point")]
    [DataRow("- IOName: x\n  Precision: uint8\n  Scale: 1\n  Offset: 1.5\n", "io.yaml(4,11): Offset is '1.5'; it must be a whole number")]
    [DataRow("- IOName: x\n  Precision: uint8\n  Scale: 0\n  Offset: 0\n", "io.yaml(1,3): 'x': Scale is 0; it must be above 0")]
    [DataRow("- IOName: x\n  Precision: uint8\n  Scale: 1e-60\n  Offset: 0\n", "it must be above 0 and finite, as a 32-bit float")]
    [DataRow("- IOName: x\n  Precision: uint8\n  Scale: NaN\n  Offset: 0\n", "it must be above 0 and finite")]
    [DataRow("- IOName: x\n  Precision: uint8\n  Scale: 1\n  Offset: 256\n", "Offset is 256; it is the code of 0, so for uint8 it must be 0 to 255")]
    [DataRow("- IOName: x\n  Precision: int8\n  Scale: 1\n  Offset: 128\n", "so for int8 it must be -128 to 127")]
    [DataRow("- IOName: x\n  Precision: int8\n  Scale: 1\n", "Scale stands alone")]
    [DataRow("- IOName: x\n  Precision: float16\n  Scale: 1\n  Offset: 0\n", "Scale and Offset are for the precisions int8 and uint8; float16 has none")]
    [DataRow("- !!python/object x\n", "io.yaml(1,3): Tags ('!name') are not taken")]
    [DataRow("- IOName: !evil x\n  Precision: int8\n", "io.yaml(1,11): Tags ('!name') are not taken")]
    [DataRow("- &a\n  IOName: x\n  Precision: int8\n", "Anchors ('&name') are not taken")]
    [DataRow("- IOName: x\n  Precision: float16\n- *a\n", "Aliases ('*name') are not taken")]
    [DataRow("- IOName: x\n  Precision: float16\n---\n- IOName: y\n", "A second document begins")]
    [DataRow("- IOName: x\n  Precision: \"float16\n", "This is no YAML")]
    [DataRow("- IOName: x\n Precision: int8\n", "io.yaml(")]
    [DataRow("\t- IOName: x\n", "io.yaml(1,")]
    [DataRow("- [IOName, x]\n", "io.yaml(1,3): Here must be an entry")]
    [DataRow("- ? [a]\n  : b\n", "Here must be a key")]
    [DataRow("{", "io.yaml(1,")]
    public void What_is_wrong_is_said_with_its_place(string text, string message)
    {
        var e = Assert.ThrowsExactly<CompilationException>(() => CustomIoFile.Parse(text, "io.yaml"));
        Assert.Contains(message, e.Message);
        StringAssert.StartsWith(e.Message, "io.yaml(");
    }

    [TestMethod]
    public void Deep_nesting_ends_early_wherever_it_is()
    {
        string deep = new('[', 100_000);
        Assert.Contains("io.yaml(1,2): Here must be an entry", Assert.ThrowsExactly<CompilationException>(() => CustomIoFile.Parse(deep, "io.yaml")).Message);
        var e = Assert.ThrowsExactly<CompilationException>(() => CustomIoFile.Parse("- IOName: x\n  Precision: int8\n  Layout: " + deep, "io.yaml"));
        Assert.Contains("nested deeper than 16 levels", e.Message);
    }

    [TestMethod]
    public void Damaged_text_is_refused_or_read_and_nothing_else_happens()
    {
        string text = CustomIoFile.Template(s_tensors).ToYaml() + " - IOName: z\n   Precision: int8\n   Scale: 0.1\n   Offset: -3\n   Layout: {a: [1, 2], \"b\": 'c'}\n";
        const string marks = "-:{}[]'\"&*!|>#%@,? \n\tx0\0\u2028";
        var random = new Random(11);
        for (int i = 0; i < 3000; i++)
        {
            char[] damaged = text.ToCharArray();
            for (int edits = random.Next(1, 4); edits > 0; edits--)
            {
                damaged[random.Next(damaged.Length)] = marks[random.Next(marks.Length)];
            }

            try
            {
                var file = CustomIoFile.Parse(new string(damaged, 0, random.Next(damaged.Length + 1)));
                Assert.AreEqual(file.ToYaml(), CustomIoFile.Parse(file.ToYaml()).ToYaml());
            }
            catch (CompilationException)
            {
            }
        }
    }

    [TestMethod]
    public void Files_that_cannot_be_read_are_named()
    {
        using TemporaryDirectory directory = TemporaryDirectory.Create();
        string path = Path.Combine(directory.Path, "io.yaml");
        Assert.Contains(path, Assert.ThrowsExactly<CompilationException>(() => CustomIoFile.Load(path)).Message);
        Assert.Contains("cannot be read", Assert.ThrowsExactly<CompilationException>(() => CustomIoFile.Load(directory.Path)).Message);
        File.WriteAllBytes(path, Encoding.Latin1.GetBytes("- IOName: größe\n  Precision: int8\n"));
        Assert.Contains("no UTF-8", Assert.ThrowsExactly<CompilationException>(() => CustomIoFile.Load(path)).Message);
        File.WriteAllText(path, new string('#', CustomIoFile.MaxBytes + 1));
        Assert.Contains("larger than 1048576 bytes", Assert.ThrowsExactly<CompilationException>(() => CustomIoFile.Load(path)).Message);
        CustomIoFile.Template(s_tensors).Save(path);
        Assert.AreEqual(path, CustomIoFile.Load(path).Source);
    }

    [TestMethod]
    public void A_template_has_every_tensor_once_and_changes_nothing()
    {
        var template = CustomIoFile.Template([.. s_tensors, s_tensors[0]]);
        Assert.AreEqual(
            " - IOName: image\n   Precision: float32\n\n - IOName: ids\n   Precision: int64\n\n - IOName: mask\n   Precision: uint8\n\n - IOName: scores\n   Precision: float16\n\n", template.ToYaml());
        CollectionAssert.AreEqual(s_tensors, CustomIoFile.Parse(template.ToYaml()).Apply(s_tensors));
        Assert.AreEqual("[]\n", CustomIoFile.Template([]).ToYaml());
        Assert.IsEmpty(CustomIoFile.Parse("[]\n").Entries);
        Assert.AreEqual(
            " - IOName: y\n   Precision: uint8\n   Scale: 0.25\n   Offset: 7\n\n", CustomIoFile.Template([new TensorSpec("y", ElementType.UInt8Q, [1]) { Scale = 0.25f, Offset = 7 }]).ToYaml());
        Assert.ThrowsExactly<ArgumentException>(() => CustomIoFile.Template([new TensorSpec("z", ElementType.Complex64, [1])]));
    }

    [TestMethod]
    [DataRow("float32", ElementType.Float32), DataRow("float16", ElementType.Float16), DataRow("bfloat16", ElementType.BFloat16), DataRow("uint8", ElementType.UInt8Q), DataRow("int8", ElementType.Int8Q)]
    public void A_real_tensor_takes_every_real_precision(string precision, ElementType type)
    {
        bool isCode = precision is "uint8" or "int8";
        var file = new CustomIoFile(
            new CustomIoEntry("image", precision) { Scale = isCode ? 0.5f : null, Offset = isCode ? 3 : null }, new CustomIoEntry("scores", precision) { Scale = isCode ? 2 : null, Offset = isCode ? 0 : null });
        TensorSpec[] applied = [.. file.Apply(s_tensors)];
        Assert.AreEqual(s_tensors[0] with { ElementType = type, Scale = isCode ? 0.5f : 0, Offset = isCode ? 3 : 0 }, applied[0]);
        Assert.AreEqual(s_tensors[3] with { ElementType = type, Scale = isCode ? 2 : 0 }, applied[3]);
        CollectionAssert.AreEqual(s_tensors[1..3], applied[1..3]);
    }

    [TestMethod]
    [DataRow("- {IOName: imag, Precision: int8}", "io.yaml(1,3): The model has no input or output 'imag'. Did you mean 'image'? It has: image Float32[4, 3]; ids")]
    [DataRow("- {IOName: nothing_like_it, Precision: int8}", "'nothing_like_it'. It has:")]
    [DataRow("- {IOName: image, Precision: uint8}", "'image' is Float32 in the model, so uint8 needs Scale and Offset")]
    [DataRow("- {IOName: image, Precision: uint8, QuantParam: {Scale: 1}}", "Keys that are not understood: 'QuantParam'")]
    [DataRow("- {IOName: image, Precision: int64}", "'image' is Float32 in the model and cannot be int64")]
    [DataRow("- {IOName: image, Precision: mxint8}", "'image' is asked for as mxint8")]
    [DataRow("- {IOName: ids, Precision: float16}", "'ids' is Int64 in the model and cannot be float16")]
    [DataRow("- {IOName: mask, Precision: int8}", "'mask' is bool in the model and cannot be int8")]
    [DataRow("- {IOName: mask, Precision: uint8, Scale: 1, Offset: 0}", "its uint8 elements are whole numbers and no codes")]
    public void What_a_model_cannot_do_is_refused_with_its_place(string text, string message)
    {
        var e = Assert.ThrowsExactly<CompilationException>(() => CustomIoFile.Parse(text, "io.yaml").Apply(s_tensors));
        Assert.Contains(message, e.Message);
        StringAssert.StartsWith(e.Message, "io.yaml(1,3): ");
    }

    [TestMethod]
    public void Entries_that_contradict_themselves_are_refused_in_code_too()
    {
        Assert.ThrowsExactly<ArgumentException>(() => new CustomIoFile(new CustomIoEntry("x", "float16"), new CustomIoEntry("x", "float16")));
        Assert.ThrowsExactly<ArgumentException>(() => new CustomIoFile(new CustomIoEntry("", "float16")));
        Assert.ThrowsExactly<ArgumentException>(() => new CustomIoFile(new CustomIoEntry("x", "Float16")));
        Assert.ThrowsExactly<ArgumentException>(() => new CustomIoFile(new CustomIoEntry("x", "int8") { Scale = 1 }));
    }
}
