using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests.Bench;

[TestClass]
public sealed class BenchCommandTests : IDisposable
{
    private static readonly string s_model = Repository.Model("wine_mlp");
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-bench-");

    public TestContext TestContext { get; set; } = null!;

    public void Dispose() => _directory.Delete(recursive: true);

    [TestMethod]
    public void Tells_median_and_spread_over_repetitions_and_draws_the_latencies()
    {
        (int code, string output, string error) = Tool.Run("bench", s_model, "--backend", "sim", "--count", "60", "--warmup", "0", "--set-size", "2");
        Assert.AreEqual(QaicTool.Success, code, error);
        StringAssert.Contains(output, "wine_mlp.onnx, offline: simulated card");
        StringAssert.Contains(output, "1 activation × 2 slots, 32 rows per inference");
        StringAssert.Matches(output, new(@"median +smallest +largest +spread"));
        foreach (string row in new[] { "rows/s", "inferences/s", "host CPU, ms per inference", "latency p50, ms", "latency p90, ms", "latency p95, ms", "latency p99, ms", "latency p99.9, ms", "latency max, ms" })
        {
            StringAssert.Matches(output, new($@"(?m)^ +{Regex.Escape(row)}( +[\d.]+){{3}} +[\d.]+ %"));
        }

        StringAssert.Contains(output, "180 inferences in 3 repetitions");
        int[] bars = [.. Regex.Matches(output, @"(?m)^ +[\d.]+ +(\d+) █").Select(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture))];
        Assert.AreEqual(180, bars.Sum(), output);
        Assert.HasCount(3, Regex.Matches(error, @"(?m)^repetition \d of 3: \d+ rows/s, p99 [\d.]+ ms\r?$"));
    }

    [TestMethod]
    public void A_server_tells_the_rate_it_achieved_and_whether_the_target_was_met()
    {
        string[] args = ["bench", s_model, "--backend", "sim", "--scenario", "server", "--rate", "500", "--poisson", "--seed", "4", "--count", "50", "--warmup", "0", "--repetitions", "1"];
        (int code, string output, string error) = Tool.Run([.. args, "--target-latency", "60000"]);
        Assert.AreEqual(QaicTool.Success, code, error);
        StringAssert.Contains(output, "server at 500 requests/s, Poisson (seed 4): ");
        StringAssert.Matches(output, new(@"Asked for 500 requests/s, served [\d.]+/s"));
        StringAssert.Contains(output, "Target p99 60000 ms: met");
        JsonElement json = Tool.Json([.. args, "--target-latency", "0.000001", "--json"]);
        JsonElement settings = json.GetProperty("settings");
        Assert.AreEqual((false, 500.0, "poisson, seed 4"), (settings.GetProperty("meetsTarget").GetBoolean(), settings.GetProperty("requestsPerSecond").GetDouble(), settings.GetProperty("arrivals").GetString()));
        JsonElement repetition = json.GetProperty("repetitions")[0];
        Assert.IsLessThanOrEqualTo(repetition.GetProperty("p99Milliseconds").GetDouble(), repetition.GetProperty("serviceP99Milliseconds").GetDouble());
    }

    [TestMethod]
    public void Finds_a_rate_that_meets_a_generous_target()
    {
        (int code, string output, string error) = Tool.Run("bench", s_model, "--backend", "sim", "--scenario", "server", "--find-rate", "--target-latency", "600000", "--duration", "0.1", "--warmup", "0", "--repetitions", "1");
        Assert.AreEqual(QaicTool.Success, code, error);
        StringAssert.Matches(error, new(@"always busy: [\d.]+ requests/s"));
        StringAssert.Contains(error, "meets the target");
        StringAssert.Contains(output, "server at ");
    }

    [TestMethod]
    public void Says_so_when_no_rate_meets_the_target()
    {
        (int code, _, string error) = Tool.Run("bench", s_model, "--backend", "sim", "--scenario", "server", "--find-rate", "--target-latency", "0.000001", "--duration", "0.02", "--warmup", "0");
        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Contains(error, "error: No rate down to ");
    }

    [TestMethod]
    public void A_result_has_what_one_needs_to_know_about_it()
    {
        JsonElement json = Tool.Json("bench", s_model, "--backend", "sim", "--scenario", "single-stream", "--count", "20", "--warmup", "0", "--repetitions", "2", "--set", "batch_size=8", "--json");
        Assert.AreEqual("single-stream", json.GetProperty("scenario").GetString());
        JsonElement model = json.GetProperty("model");
        Assert.AreEqual(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(s_model))), model.GetProperty("sha256").GetString());
        Assert.AreEqual(8, model.GetProperty("rowsPerInference").GetInt32());
        JsonElement environment = json.GetProperty("environment");
        Assert.IsTrue(environment.GetProperty("simulated").GetBoolean() && environment.GetProperty("devices")[0].GetProperty("simulated").GetBoolean());
        CollectionAssert.Contains(environment.GetProperty("options").EnumerateArray().Select(o => o.GetString()).ToArray(), "batch_size: 8");
        JsonElement[] repetitions = [.. json.GetProperty("repetitions").EnumerateArray()];
        Assert.HasCount(2, repetitions);
        foreach (JsonElement repetition in repetitions)
        {
            double[] percentiles = [.. new[] { "p50", "p90", "p95", "p99", "p999", "max" }.Select(p => repetition.GetProperty($"{p}Milliseconds").GetDouble())];
            CollectionAssert.AreEqual(percentiles.Order().ToArray(), percentiles);
            Assert.AreEqual(20 / repetition.GetProperty("seconds").GetDouble() * 8, repetition.GetProperty("rowsPerSecond").GetDouble(), 1e-6 * repetition.GetProperty("rowsPerSecond").GetDouble());
        }

        Assert.AreEqual(40, json.GetProperty("histogram").EnumerateArray().Sum(b => b.GetProperty("count").GetInt32()));
    }

    [TestMethod]
    public void A_QPC_is_measured_like_the_model_it_was_made_of()
    {
        using var session = new Session(s_model, new QaicOptions { OutputDirectory = _directory.FullName }, Platform.Simulated());
        JsonElement json = Tool.Json("bench", _directory.FullName, "--backend", "sim", "--count", "5", "--warmup", "0", "--repetitions", "1", "--json");
        Assert.AreEqual(5, json.GetProperty("repetitions")[0].GetProperty("inferences").GetInt32());
        Assert.AreEqual(
            Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(Path.Combine(_directory.FullName, "programqpc.bin")))), json.GetProperty("model").GetProperty("sha256").GetString());
    }

    [TestMethod]
    public void A_result_compared_with_itself_differs_within_noise()
    {
        string file = Measured("a.json");
        (int code, string output, string error) = Tool.Run("bench", "compare", file, file);
        Assert.AreEqual((QaicTool.Success, ""), (code, error));
        StringAssert.Matches(output, new(@"(?m)^ +rows/s +[\d.]+ +[\d.]+ +1\.000 +[\d.]+ … [\d.]+ +within noise"));
        Assert.IsFalse(output.Contains("Changed", StringComparison.Ordinal));
    }

    [TestMethod]
    public void A_result_that_is_twice_as_fast_is_better_and_what_has_changed_is_told()
    {
        string first = Measured("a.json"), second = Edited(first, "b.json", root =>
        {
            root["environment"]!["runtime"] = ".NET 11";
            foreach (JsonNode? repetition in root["repetitions"]!.AsArray())
            {
                repetition!["rowsPerSecond"] = 2000 + repetition.GetElementIndex();
                repetition["p99Milliseconds"] = 4 + (repetition.GetElementIndex() * 0.01);
            }
        });
        first = Edited(first, "a.json", root =>
        {
            foreach (JsonNode? repetition in root["repetitions"]!.AsArray())
            {
                repetition!["rowsPerSecond"] = 1000 + repetition.GetElementIndex();
                repetition["p99Milliseconds"] = 2 + (repetition.GetElementIndex() * 0.01);
            }
        });
        (_, string text, _) = Tool.Run("bench", "compare", first, second);
        JsonElement json = Tool.Json("bench", "compare", first, second, "--json");
        StringAssert.Matches(text, new(@"Changed: runtime '.NET 10[^']*' to '.NET 11'"));
        StringAssert.Matches(text, new(@"rows/s +1001 +2001 +1\.999 +1\.9\d\d … 2\.0\d\d +better"));
        StringAssert.Matches(text, new(@"latency p99, ms +2\.010 +4\.010 +1\.995 +.* worse"));
        Assert.AreEqual("better", json.GetProperty("metrics").EnumerateArray().Single(m => m.GetProperty("name").GetString() == "rowsPerSecond").GetProperty("difference").GetString());
    }

    [TestMethod]
    [DataRow("model", "different models")]
    [DataRow("scenario", "different scenarios")]
    [DataRow("rate", "different scenarios ('offline' and 'offline at 7 requests/s, equal distances')")]
    [DataRow("batch", "different batches (32 and 8 rows per inference)")]
    [DataRow("interrupted", "is not complete")]
    public void What_cannot_be_compared_is_refused_unless_it_is_forced(string what, string reason)
    {
        string first = Measured("a.json"), second = Edited(first, "b.json", root =>
        {
            switch (what)
            {
                case "model": root["model"]!["sha256"] = "ab"; break;
                case "scenario": root["scenario"] = "server"; break;
                case "rate": (root["settings"]!["requestsPerSecond"], root["settings"]!["arrivals"]) = (7, "equal distances"); break;
                case "batch": root["model"]!["rowsPerInference"] = 8; break;
                default: root["repetitions"]![0]!["interrupted"] = true; break;
            }
        });
        (int code, string output, string error) = Tool.Run("bench", "compare", first, second);
        Assert.AreEqual((QaicTool.Failure, ""), (code, output));
        StringAssert.Contains(error, reason);
        Assert.AreEqual(QaicTool.Success, Tool.Run("bench", "compare", first, second, "--force").Code);
    }

    [TestMethod]
    [DataRow("", "no result of qaic bench")]
    [DataRow("[1]", "it has no 'format'")]
    [DataRow("{\"format\": 2}", "its format is 2")]
    [DataRow("{\"format\": \"x\"}", "no result of qaic bench")]
    [DataRow("{\"format\": 1, \"model\": {}, \"settings\": {}, \"environment\": {}, \"repetitions\": [], \"scenario\": \"offline\"}", "it has no repetitions")]
    [DataRow("{\"format\": 1, \"model\": {\"sha256\": \"a\", \"rowsPerInference\": 1}, \"settings\": {}, \"environment\": {}, \"repetitions\": [{}], \"scenario\": \"offline\"}", "it has no 'rowsPerSecond'")]
    public void A_file_that_is_no_result_is_named(string text, string reason)
    {
        string file = Path.Combine(_directory.FullName, "x.json");
        File.WriteAllText(file, text);
        (int code, string output, string error) = Tool.Run("bench", "compare", file, file);
        Assert.AreEqual((QaicTool.Failure, ""), (code, output));
        StringAssert.StartsWith(error, $"error: '{file}' is no result");
        StringAssert.Contains(error, reason);
    }

    [TestMethod]
    [DataRow("--count 5 --duration 2", "exclude each other")]
    [DataRow("--count 0", "--count must be 1 or more")]
    [DataRow("--duration 0", "--duration must be a number above 0")]
    [DataRow("--duration NaN", "--duration must be a number above 0")]
    [DataRow("--warmup -1", "--warmup must be 0 or more")]
    [DataRow("--repetitions 0", "--repetitions must be 1 or more")]
    [DataRow("--rate 5", "are for --scenario server")]
    [DataRow("--target-latency 5", "are for --scenario server")]
    [DataRow("--scenario server", "takes either --rate, or --find-rate")]
    [DataRow("--scenario server --rate 5 --find-rate", "takes either --rate, or --find-rate")]
    [DataRow("--scenario server --rate -5", "--rate must be a number above 0")]
    [DataRow("--scenario server --find-rate", "needs --target-latency")]
    [DataRow("--scenario server --find-rate --target-latency 5 --count 9", "--count does not go with it")]
    [DataRow("--scenario burst", "burst")]
    [DataRow("--set x", "Write --set key=value")]
    [DataRow("--set no_such_option=1", "no_such_option")]
    [DataRow("--set-size 0", "set_size")]
    [DataRow("--backend moon", "moon")]
    [DataRow("--shapes 1", "fixed shapes")]
    [DataRow("--input a=b", "no input 'a'")]
    public void A_command_line_that_makes_no_sense_is_refused_before_anything_runs(string line, string reason)
    {
        (int code, string output, string error) = Tool.Run(["bench", s_model, "--set", "backend=sim", .. line.Split(' ')]);
        (code, output, error) = line.Contains("--backend", StringComparison.Ordinal) ? Tool.Run(["bench", s_model, .. line.Split(' ')]) : (code, output, error);
        Assert.AreEqual(QaicTool.WrongUsage, code, error);
        StringAssert.Contains(error, reason);
        Assert.IsFalse(output.Contains("rows/s  ", StringComparison.Ordinal));
    }

    [TestMethod]
    public void Without_a_model_it_says_what_to_give()
    {
        (int code, _, string error) = Tool.Run("bench");
        Assert.AreEqual(QaicTool.WrongUsage, code);
        StringAssert.Contains(error, "Give a model");
        (code, _, error) = Tool.Run("bench", "/nowhere/x.onnx", "--backend", "sim");
        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Contains(error, "/nowhere/x.onnx");
    }

    [TestMethod]
    public void A_network_that_does_not_fit_is_an_error_of_the_device()
    {
        (int code, _, string error) = Tool.Run("bench", s_model, "--backend", "sim", "--activations", "40", "--warmup", "0", "--count", "1");
        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Matches(error, new(@"(?m)^error: .* AI cores needed, 0 free"));
        Assert.IsFalse(error.Contains("QaicException", StringComparison.Ordinal), error);
    }

    [TestMethod]
    public async Task Ctrl_C_ends_it_and_shows_what_was_measured()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("Signals are sent with kill.");
        }

        using var process = ToolProcess.Start(_directory.FullName, "bench", s_model, "--backend", "sim", "--warmup", "0.01", "--duration", "3000", "--output", "result.json");
        Task<string> output = process.Output.ReadToEndAsync(TestContext.CancellationToken);
        var errors = new List<string>();
        Task reading = Read();
        int code = await process.Ended(TestContext.CancellationToken);
        await reading;
        Assert.AreEqual(QaicTool.Interrupted, code, string.Join('\n', errors));
        StringAssert.Contains(await output, "rows/s");
        StringAssert.Contains(errors[^1], "interrupted in repetition 1 of 3");
        Assert.AreEqual("result.json", Path.GetFileName(Directory.GetFiles(_directory.FullName).Single()));

        async Task Read()
        {
            while (await process.Error.ReadLineAsync(TestContext.CancellationToken) is { } line)
            {
                errors.Add(line);
                if (line == "measuring 3 × 3000 s")
                {
                    process.Interrupt();
                }
            }
        }
    }

    [TestMethod]
    public void Numbers_are_written_with_a_point_whatever_the_users_culture()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        var commas = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        (commas.NumberFormat.NumberDecimalSeparator, commas.NumberFormat.NumberGroupSeparator) = (",", ".");
        CultureInfo.CurrentCulture = commas;
        try
        {
            JsonElement settings = Tool.Json(
                "bench", s_model, "--backend", "sim", "--scenario", "server", "--rate", "100.5", "--target-latency", "60000.5", "--duration", "0.05", "--warmup", "0.01", "--repetitions", "1", "--json").GetProperty("settings");
            Assert.AreEqual((100.5, 60000.5, 0.05), (settings.GetProperty("requestsPerSecond").GetDouble(), settings.GetProperty("targetMilliseconds").GetDouble(), settings.GetProperty("durationSeconds").GetDouble()));
            Assert.AreSame(commas, CultureInfo.CurrentCulture, "the caller's is as it was");
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [TestMethod]
    [DataRow("--warmup -1"), DataRow("--repetitions 0"), DataRow("--duration 0")]
    public void What_is_wrong_with_the_command_line_is_said_before_the_model_is_looked_at(string line) =>
        Assert.AreEqual(QaicTool.WrongUsage, Tool.Run(["bench", "/nowhere/x.onnx", "--backend", "sim", .. line.Split(' ')]).Code);

    [TestMethod]
    public void A_result_that_has_no_place_is_refused_before_anything_is_measured()
    {
        (int code, _, string error) = Tool.Run("bench", s_model, "--backend", "sim", "--count", "1", "--output", _directory.FullName);
        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Contains(error, $"'{_directory.FullName}' is a directory");
        Assert.DoesNotContain("measuring", error);
        Assert.AreEqual(QaicTool.Failure, Tool.Run("bench", "/nowhere/x.onnx", "--backend", "sim", "--output", Path.Combine(_directory.FullName, "x.json")).Code);
        Assert.IsEmpty(Directory.GetFiles(_directory.FullName), "what was not measured has no file");
    }

    private string Measured(string name)
    {
        string file = Path.Combine(_directory.FullName, name);
        (int code, _, string error) = Tool.Run("bench", s_model, "--backend", "sim", "--count", "20", "--warmup", "0", "--output", file);
        Assert.AreEqual(QaicTool.Success, code, error);
        return file;
    }

    private string Edited(string from, string name, Action<JsonNode> edit)
    {
        JsonNode root = JsonNode.Parse(File.ReadAllText(from))!;
        edit(root);
        string file = Path.Combine(_directory.FullName, name);
        File.WriteAllText(file, root.ToJsonString());
        return file;
    }
}
