using System.Globalization;
using System.Text.Json;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Cli.Data;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests;

// Sessions are native objects, and after every test of the assembly there must be none.
[TestClass]
public sealed class RunTests : ToolTest
{
    [TestMethod]
    public void Any_number_of_rows_gives_the_reference_outputs_in_every_format()
    {
        TestModel model = ModelManifest.Get("digits_cnn");
        float[] expected = model.Reference("logits").ToSingles();
        string[] common = ["run", Cnn, "--backend", "sim", "--input", $"image={DigitRows}"];

        Ok([.. common, "-o", At("npy"), "--output-format", "npy"]);
        Ok([.. common, "-o", At("csv"), "--output-format", "csv"]);
        Ok([.. common, "-o", At("raw")]);

        var npy = Npy.Load(At("npy", "logits.npy"));
        CollectionAssert.AreEqual(new[] { model.RowCount, 10 }, npy.Shape);
        float[] actual = npy.ToSingles();
        Assert.AreEqual(0, expected.Zip(actual).Max(p => Math.Abs(p.First - p.Second)), 1e-4);

        CsvFile csv = CsvFile.Load(At("csv", "logits.csv"));
        CollectionAssert.AreEqual(actual, csv.Rows.SelectMany(r => r.Fields).Select(f => float.Parse(f, CultureInfo.InvariantCulture)).ToArray());
        Assert.AreEqual("logits.9", csv.Names[9]);

        byte[] raw = [.. Enumerable.Range(0, 19).SelectMany(i => File.ReadAllBytes(At("raw", $"logits-activation-0-inf-{i}.bin")))];
        CollectionAssert.AreEqual(npy.Bytes, raw, "the padding of the last batch is not written");
    }

    [TestMethod]
    public void Raw_files_tables_and_lists_give_what_arrays_give()
    {
        var rows = Npy.Load(DigitRows);
        string raw = Written("rows.raw", rows.RowSlice(0, 40).ToArray());
        string table = Written("rows.csv", string.Join(',', Enumerable.Range(0, 64).Select(i => $"p{i}")) + "\n"
            + string.Concat(Enumerable.Range(0, 40).Select(r => string.Join(',', rows.As<float>().Slice(r * 64, 64).ToArray().Select(v => v.ToString("r", CultureInfo.InvariantCulture))) + "\r\n")));
        Written("a.bin", rows.RowSlice(0, 32).ToArray());
        Written("b.bin", rows.RowSlice(32, 8).ToArray());
        string list = Written("list.txt", "a.bin\n\nb.bin\n");

        string[] sources = ["--input", raw, "--input", table, "--input-list", list];
        byte[][] results = [.. sources.Chunk(2).Select((source, i) =>
        {
            Ok(["run", Cnn, "--backend", "sim", .. source, "-o", At($"out{i}"), "--output-format", "npy"]);
            return Npy.Load(At($"out{i}", "logits.npy")).Bytes;
        })];

        Assert.HasCount(40 * 10 * 4, results[0]);
        CollectionAssert.AreEqual(results[0], results[1]);
        CollectionAssert.AreEqual(results[0], results[2]);
    }

    [TestMethod]
    public void Each_inference_takes_the_set_of_shapes_that_its_files_have()
    {
        string shapes = Written("s.json", """{"specializations":[{"batch":"1","sequence":"16"},{"batch":"1","sequence":"32"}]}""");
        Ok("compile", Repository.Model("langid_dyn"), "--backend", "sim", "--network-specialization-config", shapes, "-o", At("qpc"));
        foreach (int length in new[] { 16, 32 })
        {
            Written($"ids{length}.raw", new byte[length * 8]);
            Written($"mask{length}.raw", [.. Enumerable.Range(0, length).SelectMany(_ => BitConverter.GetBytes(1L))]);
        }

        string list = Written("list.txt", "ids32.raw,mask32.raw\nids16.raw,mask16.raw\n");
        using var json = JsonDocument.Parse(Ok("run", At("qpc"), "--backend", "sim", "--input-list", list, "-o", At("out"), "--json"));

        Assert.AreEqual(2, json.RootElement.GetProperty("inferences").GetInt32());
        (int code, _, string error) = Run("run", At("qpc"), "--backend", "sim", "--input-list", Written("bad.txt", $"ids16.raw,mask32.raw\n"));
        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Contains(error, "none of the sets of shapes");
    }

    [TestMethod]
    public void The_report_for_machines_has_shapes_files_and_the_largest_values()
    {
        using var json = JsonDocument.Parse(Ok("run", Cnn, "--backend", "sim", "--input", DigitRows, "--json"));

        JsonElement root = json.RootElement;
        Assert.AreEqual(597, root.GetProperty("rows").GetInt32());
        JsonElement[] top = [.. root.GetProperty("outputs")[0].GetProperty("top").EnumerateArray()];
        Assert.AreEqual(ModelManifest.Get("digits_cnn").Labels().As<long>()[0], top[0].GetProperty("index").GetInt32());
        Assert.IsTrue(top[0].GetProperty("value").GetDouble() >= top[1].GetProperty("value").GetDouble());
        Assert.AreEqual(0, root.GetProperty("files").GetArrayLength());
    }

    [TestMethod]
    [DataRow(1, "Did you mean 'image'?", "--input", "imag=a.npy")]
    [DataRow(1, "There is no data", "--backend", "sim")]
    [DataRow(1, "exclude each other", "--input", "a", "--input-list", "b")]
    [DataRow(1, "is given twice", "--input", "image=a", "--input", "image=b")]
    [DataRow(2, "There is no file", "--input", "image=nowhere.npy")]
    [DataRow(2, "list of inputs", "--input-list", "nowhere.txt")]
    public void What_is_wrong_with_the_inputs_is_named(int expected, string message, params string[] arguments)
    {
        (int code, string output, string error) = Run(["run", Cnn, "--set", "backend=sim", .. arguments.Where(a => a is not ("--backend" or "sim"))]);

        Assert.AreEqual((expected, ""), (code, output));
        StringAssert.Contains(error, message);
    }

    [TestMethod]
    public void A_list_that_fails_half_way_leaves_no_half_file()
    {
        var rows = Npy.Load(DigitRows);
        Written("a.bin", rows.RowSlice(0, 32).ToArray());
        Written("short.bin", rows.RowSlice(0, 1)[..17].ToArray());

        (int code, _, string error) = Run("run", Cnn, "--backend", "sim", "--input-list", Written("list.txt", "a.bin\nshort.bin\n"), "-o", At("out"), "--output-format", "csv");

        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Contains(error, "inference 2");
        StringAssert.Contains(error, "17 bytes");
        Assert.HasCount(0, Directory.GetFiles(At("out")));
    }
}
