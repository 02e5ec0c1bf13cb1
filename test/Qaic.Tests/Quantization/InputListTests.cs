using System.Text;
using Qaic.Compilation;
using Qaic.Quantization;
using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Tests.Quantization;

/// <summary>Lists of raw inputs: read, written, and what is said of wrong ones.</summary>
[TestClass]
public sealed class InputListTests
{
    private static readonly TensorSpec[] s_inputs = [new("x", ElementType.Float32, [2, 3]), new("ids", ElementType.Int64, [2])];

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    public void Each_line_is_a_batch_of_all_inputs()
    {
        Raw("a.raw", 1f, 2f, 3f, 4f, 5f, 6f);
        Raw("b.raw", 7L, -8L);
        InputListFile list = List($"\r\n  a.raw , {_directory.FullName}/b.raw\t\r\n\n./a.raw,b.raw");
        Assert.AreEqual("a.raw|./a.raw", string.Join('|', list.Lines.Select(l => l[0])));
        IReadOnlyDictionary<string, Tensor>[] samples = [.. list.Read(s_inputs)];
        Assert.HasCount(2, samples);
        CollectionAssert.AreEqual(new[] { 1f, 2, 3, 4, 5, 6 }, samples[1]["x"].ToArray<float>());
        CollectionAssert.AreEqual(new[] { 7L, -8 }, samples[0]["ids"].ToArray<long>());
        Assert.AreEqual("Float32[2, 3]", samples[0]["x"].ToString());
    }

    [TestMethod]
    public void A_relative_path_is_from_the_working_directory_first()
    {
        string name = $"qaic-{Guid.NewGuid():n}.raw";
        string here = Path.GetFullPath(name);
        TensorSpec[] inputs = [new("x", ElementType.UInt8, [1])];
        File.WriteAllBytes(Path.Combine(_directory.FullName, name), [2]);
        File.WriteAllBytes(here, [1]);
        try
        {
            InputListFile list = List(name);
            Assert.AreEqual(1, list.Read(inputs).Single()["x"].ToArray<byte>()[0]);
            File.Delete(here);
            Assert.AreEqual(2, list.Read(inputs).Single()["x"].ToArray<byte>()[0]);
        }
        finally
        {
            File.Delete(here);
        }
    }

    [TestMethod]
    public void A_list_for_others_has_full_paths_where_only_its_own_directory_has_the_file()
    {
        Raw("a.raw", 1f);
        string full = Path.Combine(_directory.FullName, "a.raw");
        Assert.AreEqual($"{full},nowhere.raw\n{full}\n", List($"a.raw , nowhere.raw\n{full}").WithFullPaths());
        Assert.IsNull(List($"{full},nowhere.raw").WithFullPaths());
    }

    [TestMethod]
    [DataRow("", 0, "is empty")]
    [DataRow("\n \n", 0, "is empty")]
    [DataRow("a.raw,,b.raw", 1, "Path 2 is empty")]
    [DataRow("\na.raw,", 2, "Path 2 is empty")]
    [DataRow("a.raw\nb\0", 2, "zero byte")]
    public void A_list_that_is_none_is_refused(string text, int line, string expected)
    {
        QuantizationFormatException e = Assert.ThrowsExactly<QuantizationFormatException>(() => List(text));
        Assert.Contains(expected, e.Message);
        Assert.AreEqual(line, e.Line);
    }

    [TestMethod]
    [DataRow("x.raw", "has 1 file, the model 2 inputs: x Float32[2, 3]; ids Int64[2]")]
    [DataRow("x.raw,ids.raw,x.raw", "has 3 files, the model 2 inputs")]
    [DataRow("x.raw,gone.raw", "'gone.raw' for input 'ids' is not there. Looked for '")]
    [DataRow("ids.raw,x.raw", "'ids.raw' has 16 bytes; input 'x Float32[2, 3]' takes 24")]
    [DataRow("x.raw,.", "for input 'ids' is a directory")]
    public void A_line_that_does_not_fit_is_refused_with_file_and_input_when_its_turn_comes(string line, string expected)
    {
        Raw("x.raw", 1f, 2f, 3f, 4f, 5f, 6f);
        Raw("ids.raw", 7L, -8L);
        InputListFile list = List($"x.raw,ids.raw\n\n{line}\n");
        using IEnumerator<IReadOnlyDictionary<string, Tensor>> samples = list.Read(s_inputs).GetEnumerator();
        Assert.IsTrue(samples.MoveNext());
        QuantizationFormatException e = Assert.ThrowsExactly<QuantizationFormatException>(() => samples.MoveNext());
        Assert.Contains(expected, e.Message);
        Assert.AreEqual((list.Path, 3), (e.Path, e.Line));
    }

    [TestMethod]
    public void Rows_are_gathered_into_batches_and_the_last_one_is_filled_with_the_first_rows()
    {
        WrittenInputs written = InputListFile.Write(_directory.FullName, [new("x", ElementType.Float32, [4, 1]), new("n", ElementType.Int32, [4])], Samples(3, 1, 2));
        Assert.AreEqual((6L, 2, true), (written.Rows, written.Inferences, Path.IsPathFullyQualified(written.Path)));
        Assert.AreEqual("0 1 2 3|4 5 0 1", Rows(written, 4));
        written = InputListFile.Write(_directory.FullName, [new("x", ElementType.Float32, [8, 1]), new("n", ElementType.Int32, [8])], Samples(0, 3));
        Assert.AreEqual((3L, 1), (written.Rows, written.Inferences));
        Assert.AreEqual("0 1 2 0 1 2 0 1", Rows(written, 8));
    }

    [TestMethod]
    public void Five_hundred_samples_are_sixty_three_batches_of_eight() =>
        Assert.AreEqual((500L, 63), InputListFile.Write(_directory.FullName, [new("x", ElementType.Float32, [8, 1]), new("n", ElementType.Int32, [8])], Samples([.. Enumerable.Repeat(1, 500)])) is var w ? (w.Rows, w.Inferences) : default);

    [TestMethod]
    public void Inputs_without_a_batch_in_common_are_written_as_they_are()
    {
        TensorSpec[] inputs = [new("x", ElementType.UInt8, [2, 2]), new("scalar", ElementType.Float16, [])];
        Dictionary<string, Tensor> sample = new() { ["x"] = Tensor.Create<byte>([1, 2, 3, 4], 2, 2), ["scalar"] = Tensor.Scalar((Half)0.5f) };
        WrittenInputs written = InputListFile.Write(_directory.FullName, inputs, [sample, sample]);
        Assert.AreEqual((2L, 2), (written.Rows, written.Inferences));
        IReadOnlyDictionary<string, Tensor> back = InputListFile.Load(written.Path).Read(inputs).Last();
        CollectionAssert.AreEqual(new byte[] { 1, 2, 3, 4 }, back["x"].ToArray<byte>());
        Assert.AreEqual((Half)0.5f, back["scalar"].ToArray<Half>()[0]);
        Assert.Contains("no batch in common", Assert.ThrowsExactly<ArgumentException>(() => InputListFile.Write(_directory.FullName, inputs, [new Dictionary<string, Tensor>(sample) { ["x"] = Tensor.Create<byte>([1, 2], 2) }])).Message);
    }

    [TestMethod]
    public void Samples_that_do_not_fit_are_refused_with_their_number_and_input()
    {
        Tensor x = Tensor.Create(new float[3], 1, 3), ids = Tensor.Create(new long[1], 1);
        Refused("Sample 1: it lacks the input 'ids', which should be", new() { ["x"] = x });
        Refused("Sample 1: the model has no input 'Ids'. Did you mean 'ids'? It has: 'x', 'ids'.", new() { ["x"] = x, ["ids"] = Tensor.Scalar(1L), ["Ids"] = Tensor.Scalar(1L) });
        Refused("input 'x' is Int64[1, 3], but should be Float32[2, 3] with any number of rows, or one row: Float32[3]. Convert the elements", new() { ["x"] = Tensor.Create(new long[3], 1, 3), ["ids"] = ids });
        Refused("input 'x' is Float32[1, 4], but should be Float32[2, 3]", new() { ["x"] = Tensor.Create(new float[4], 1, 4), ["ids"] = ids });
        Refused("input 'ids' is Int64[1, 1], but should be Int64[2] with any number of rows, or one row: Int64[]", new() { ["x"] = x, ["ids"] = Tensor.Create(new long[1], 1, 1) });
        Refused("input 'x' has 1 row, but 'ids' has 2", new() { ["x"] = x, ["ids"] = Tensor.Create(new long[2], 2) });
        Refused("element 2 of input 'x' (Float32[1, 3]) is minus infinity", new() { ["x"] = Tensor.Create([0, 0, float.NegativeInfinity], 1, 3), ["ids"] = ids });
        Assert.Contains("no sample", Assert.ThrowsExactly<ArgumentException>(() => InputListFile.Write(_directory.FullName, s_inputs, [])).Message);
        Assert.Contains("no inputs", Assert.ThrowsExactly<ArgumentException>(() => InputListFile.Write(_directory.FullName, [], [])).Message);
        Assert.Contains("comma", Assert.ThrowsExactly<ArgumentException>(() => InputListFile.Write(Path.Combine(_directory.FullName, "a,b"), s_inputs, [])).Message);

        void Refused(string expected, Dictionary<string, Tensor> second) => Assert.Contains(
            expected,
            Assert.ThrowsExactly<ArgumentException>(() => InputListFile.Write(_directory.FullName, s_inputs, [new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new float[3], 3), ["ids"] = Tensor.Scalar(1L) }, second])).Message);
    }

    [TestMethod]
    public void Numbers_that_are_none_are_found_in_16_bits_too()
    {
        TensorSpec[] half = [new("h", ElementType.Float16, [1, 2])], brain = [new("b", ElementType.BFloat16, [1, 2])];
        Assert.Contains("element 1 of input 'h'", Assert.ThrowsExactly<ArgumentException>(() => InputListFile.Write(_directory.FullName, half, [new Dictionary<string, Tensor> { ["h"] = Tensor.Create([(Half)1, Half.NaN], 1, 2) }])).Message);
        Assert.Contains("element 0 of input 'b'", Assert.ThrowsExactly<ArgumentException>(() => InputListFile.Write(_directory.FullName, brain, [new Dictionary<string, Tensor> { ["b"] = Tensor.Create<ushort>([0xff80, 0], 1, 2) }])).Message);
        Assert.AreEqual(1L, InputListFile.Write(_directory.FullName, brain, [new Dictionary<string, Tensor> { ["b"] = Tensor.Create<ushort>([0x7f7f, 0], 1, 2) }]).Rows);
    }

    [TestMethod]
    public void Writing_can_be_cancelled()
    {
        using var stop = new CancellationTokenSource();
        Assert.ThrowsExactly<OperationCanceledException>(() => InputListFile.Write(_directory.FullName, [new("x", ElementType.Float32, [1, 1]), new("n", ElementType.Int32, [1])], Endless(), stop.Token));

        IEnumerable<IReadOnlyDictionary<string, Tensor>> Endless()
        {
            for (int i = 0; ; i++)
            {
                yield return Samples(1).Single();
                if (i == 3)
                {
                    stop.Cancel();
                }
            }
        }
    }

    // Numbered rows in samples of so many; a sample of 1 has no leading dimension.
    private static IEnumerable<IReadOnlyDictionary<string, Tensor>> Samples(params int[] rows)
    {
        int next = 0;
        foreach (int count in rows)
        {
            int[] numbers = [.. Enumerable.Range(next, count)];
            next += count;
            float[] values = [.. numbers.Select(n => (float)n)];
            yield return new Dictionary<string, Tensor>
            {
                ["x"] = count == 1 ? Tensor.Create(values, 1) : Tensor.Create(values, count, 1),
                ["n"] = count == 1 ? Tensor.Scalar(numbers[0]) : Tensor.Create(numbers, count),
            };
        }
    }

    private static string Rows(WrittenInputs written, int batch) => string.Join('|', InputListFile.Load(written.Path).Read([new("x", ElementType.Float32, [batch, 1]), new("n", ElementType.Int32, [batch])]).Select(sample =>
    {
        string numbers = string.Join(' ', sample["n"].ToArray<int>());
        Assert.AreEqual(numbers, string.Join(' ', sample["x"].ToArray<float>()));
        return numbers;
    }));

    private InputListFile List(string text)
    {
        string path = Path.Combine(_directory.FullName, "list.txt");
        File.WriteAllText(path, text, new UTF8Encoding(false));
        return InputListFile.Load(path);
    }

    private void Raw<T>(string name, params T[] values) where T : unmanaged => File.WriteAllBytes(Path.Combine(_directory.FullName, name), Tensor.Create(values).Bytes.ToArray());
}
