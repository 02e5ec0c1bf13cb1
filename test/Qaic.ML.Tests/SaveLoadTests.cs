using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class SaveLoadTests
{
    private static readonly TestModel s_model = ModelManifest.Get("digits_mlp");

    private readonly MLContext _ml = new(seed: 1);
    private readonly TestView _data = ModelData.View(s_model);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-ml-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    public void A_model_loads_as_it_was_saved()
    {
        QaicModelOptions options = new()
        {
            ModelPath = s_model.Path,
            OutputColumns = ["score"],
            OutputTensors = new Dictionary<string, string> { ["score"] = "logits" },
            NaNPolicy = NaNPolicy.Error,
            Options = new QaicOptions { NumActivations = 2, SetSize = 3, Backend = QaicBackend.Simulated },
        };
        using QaicTransformer saved = _ml.Transforms.ApplyQaicModel(options).Fit(_data);
        using var loaded = (QaicTransformer)Load(Save(saved));
        ModelData.AssertReference(s_model, "logits", Rows.ReadVectors<float>(loaded.Transform(_data), "score"));
        Assert.AreEqual((2, 3, QaicBackend.Auto), (loaded.Session.Options.NumActivations, loaded.Session.Options.SetSize, loaded.Session.Options.Backend));
        Assert.AreEqual(NaNPolicy.Error, loaded.NaNPolicy);
        CollectionAssert.AreEqual(File.ReadAllBytes(saved.Session.QpcPath), File.ReadAllBytes(loaded.Session.QpcPath));
    }

    [TestMethod]
    public void Options_are_saved_by_keyword_and_all_but_those_of_the_machine_come_back()
    {
        QaicOptions options = new()
        {
            NumActivations = 2,
            SetSize = 3,
            DeviceIds = [0],
            OutputDirectory = _directory.FullName,
            CacheDirectory = _directory.FullName,
            CompilerPath = "qaic-exec",
            CompileTimeout = 600,
            CacheLimitMiB = 512,
            EnableMetrics = true,
            NodePrecisionInfoFile = Path.Combine(_directory.FullName, "nodes.yaml"),
            BatchSize = 4,
            OnnxDefineSymbol = QaicOptions.Default.OnnxDefineSymbol,
            Mos = [1],
            Ols = 2,
            VtcmWorkingSetLimitRatio = 0.75m,
            QuantizationSchemaActivations = QuantizationSchema.SymmetricWithUInt8,
            ExecuteNodesInFp16 = ["Add", "Mul"],
            ModelInputs = [new ModelInput("pixels", "float", [4, 64])],
            CombineInputs = false,
            CompilerArguments = ["-v"],
        };
        File.WriteAllText(options.NodePrecisionInfoFile!, "FP16NodeInstanceNames: []");
        using QaicTransformer saved = _ml.Transforms.ApplyQaicModel(s_model.Path, options).Fit(_data);
        byte[] model = Save(saved);
        string settings = Entry(model, "Settings.json");
        Assert.Contains("\"quantization_schema_activations\": \"symmetric_with_uint8\"", settings);
        Assert.DoesNotContain(_directory.FullName, settings);
        using var loaded = (QaicTransformer)Load(model);
        Assert.AreEqual(options with { OutputDirectory = null, CacheDirectory = null, CompilerPath = null, CompileTimeout = null, CacheLimitMiB = QaicOptions.Default.CacheLimitMiB, NodePrecisionInfoFile = null }, loaded.Session.Options);
    }

    [TestMethod]
    public void Options_of_older_and_newer_writers_are_read()
    {
        using QaicTransformer saved = Fit();
        byte[] model = Save(saved);
        string settings = Entry(model, "Settings.json");
        Assert.Contains("\"Options\": {}", settings);
        using var older = (QaicTransformer)Load(Edit(model, "Settings.json", settings.Replace("\"Options\": {}", """
            "Options": { "NumActivations": 2, "DeviceIds": [0], "OnnxDefineSymbol": { "sequence": 8 }, "BatchSize": null, "Backend": "Auto" }
            """, StringComparison.Ordinal)));
        Assert.AreEqual(new QaicOptions { NumActivations = 2, OnnxDefineSymbol = QaicOptions.Default.OnnxDefineSymbol.Add("sequence", 8) }, older.Session.Options);
        using var newer = (QaicTransformer)Load(Edit(model, "Settings.json", settings.Replace("\"Options\": {}", """
            "Options": { "set_size": 2, "of_next_year": { "x": [1] } }
            """, StringComparison.Ordinal)));
        Assert.AreEqual(new QaicOptions { SetSize = 2 }, newer.Session.Options);
        AssertSays("'set_size' must be", () => Load(Edit(model, "Settings.json", settings.Replace("\"Options\": {}", "\"Options\": { \"set_size\": 0 }", StringComparison.Ordinal))));
    }

    [TestMethod]
    public void A_loaded_model_can_be_saved_and_loaded_again_after_the_first_is_gone()
    {
        byte[] first;
        using (QaicTransformer fitted = Fit())
        {
            first = Save(fitted);
        }

        byte[] second;
        using (var loaded = (QaicTransformer)Load(first))
        {
            second = Save(loaded);
        }

        using var again = (QaicTransformer)Load(second);
        ModelData.AssertReference(s_model, "logits", Rows.ReadVectors<float>(again.Transform(_data), "logits"));
    }

    [TestMethod]
    public void A_chain_loads_whole()
    {
        var pipeline = _ml.Transforms.CopyColumns("pixels", "raw").Append(_ml.Transforms.ApplyQaicModel(s_model.Path)).Append(_ml.Transforms.CopyColumns("Score", "logits"));
        IDataView raw = _ml.Transforms.CopyColumns("raw", "pixels").Append(_ml.Transforms.SelectColumns("raw")).Fit(_data).Transform(_data);
        using var model = pipeline.Fit(raw);
        ITransformer loaded = Load(Save(model, raw.Schema));
        ModelData.AssertReference(s_model, "logits", Rows.ReadVectors<float>(loaded.Transform(raw), "Score"));
        ((IDisposable)loaded).Dispose();
    }

    [TestMethod]
    public void A_fresh_process_that_knows_only_ML_NET_loads_and_scores()
    {
        string zip = Path.Combine(_directory.FullName, "model.zip");
        string rows = Path.Combine(_directory.FullName, "rows.idv");
        using (QaicTransformer fitted = Fit())
        {
            _ml.Model.Save(fitted, _data.Schema, zip);
        }

        using (FileStream stream = File.Create(rows))
        {
            _ml.Data.SaveAsBinary(_data, stream);
        }

        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Qaic.ML.Tests.FreshProcess.dll"), zip, rows, "logits"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        string home = _directory.CreateSubdirectory("home").FullName;
        start.Environment["HOME"] = home;
        start.Environment.Remove("XDG_CACHE_HOME");
        start.Environment.Remove("ORT_DISABLE_TELEMETRY");
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(2)))
        {
            process.Kill();
            Assert.Fail("The process did not end within two minutes.");
        }

        Assert.AreEqual(0, process.ExitCode, error.Result);
        List<float[]> scored = [.. output.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => Array.ConvertAll(line.Split(' '), v => float.Parse(v, CultureInfo.InvariantCulture)))];
        ModelData.AssertReference(s_model, "logits", scored);
        Assert.AreEqual("", error.Result);
        Assert.AreEqual("", string.Join(' ', Directory.EnumerateFiles(home, "*", SearchOption.AllDirectories)), "ONNX Runtime's telemetry keeps a database in there");
    }

    [TestMethod]
    public void The_program_is_an_entry_of_its_own_in_the_zip()
    {
        using QaicTransformer fitted = Fit();
        using var zip = new ZipArchive(new MemoryStream(Save(fitted)));
        ZipArchiveEntry program = zip.Entries.Single(e => e.Name == "Program.qpc");
        Assert.AreEqual(new FileInfo(fitted.Session.QpcPath).Length, program.Length);
        Assert.IsTrue(zip.Entries.Any(e => e.Name == "Settings.json"));
    }

    [TestMethod]
    public void A_loaded_models_file_has_no_name_that_could_be_left_behind()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("Elsewhere the file is deleted when it is closed.");
        }

        using QaicTransformer fitted = Fit();
        using var loaded = (QaicTransformer)Load(Save(fitted));
        Assert.EndsWith("(deleted)", new FileInfo(loaded.Session.QpcPath).LinkTarget!);
    }

    [TestMethod]
    public void A_program_that_was_replaced_since_is_not_saved_as_if_it_were_the_same()
    {
        string onnx = s_model.Path;
        using QaicTransformer fitted = _ml.Transforms.ApplyQaicModel(onnx, new QaicOptions { OutputDirectory = _directory.FullName }).Fit(_data);
        File.SetLastWriteTimeUtc(fitted.Session.QpcPath, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.Contains("has changed since the model was fitted", Assert.ThrowsExactly<IOException>(() => Save(fitted)).Message);
    }

    [TestMethod]
    [DataRow("Program.qpc", "no entry 'Program.qpc'"), DataRow("Settings.json", "no entry 'Settings.json'")]
    public void A_zip_without_one_of_our_entries_is_refused(string entry, string message)
    {
        using QaicTransformer fitted = Fit();
        byte[] damaged = Edit(Save(fitted), entry, content: null);
        AssertSays(message, () => Load(damaged));
    }

    [TestMethod]
    [DataRow("Program.qpc", "bytes"), DataRow("Settings.json", "is not the JSON it should be")]
    public void A_damaged_entry_is_refused(string entry, string message)
    {
        using QaicTransformer fitted = Fit();
        byte[] damaged = Edit(Save(fitted), entry, "no longer what it was");
        AssertSays(message, () => Load(damaged));
    }

    private QaicTransformer Fit() => _ml.Transforms.ApplyQaicModel(s_model.Path).Fit(_data);

    private byte[] Save(ITransformer model, DataViewSchema? schema = null)
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(model, schema ?? _data.Schema, stream);
        return stream.ToArray();
    }

    private static ITransformer Load(byte[] model) => new MLContext().Model.Load(new MemoryStream(model), out _);

    private static string Entry(byte[] model, string name)
    {
        using var zip = new ZipArchive(new MemoryStream(model));
        using var reader = new StreamReader(zip.Entries.Single(e => e.Name == name).Open());
        return reader.ReadToEnd();
    }

    private static byte[] Edit(byte[] model, string name, string? content)
    {
        using var stream = new MemoryStream();
        stream.Write(model);
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Update, leaveOpen: true))
        {
            ZipArchiveEntry entry = zip.Entries.Single(e => e.Name == name);
            string path = entry.FullName;
            entry.Delete();
            if (content is not null)
            {
                using Stream entryStream = zip.CreateEntry(path).Open();
                entryStream.Write(System.Text.Encoding.UTF8.GetBytes(content));
            }
        }

        return stream.ToArray();
    }

    // ML.NET wraps what a loader throws.
    private static void AssertSays(string message, Action load)
    {
        Exception error = Assert.Throws<Exception>(load);
        var messages = new List<string>();
        for (Exception? e = error; e is not null; e = e.InnerException)
        {
            messages.Add(e.Message);
        }

        Assert.Contains(message, string.Join('\n', messages));
    }
}
