using System.Text.Json;
using Qaic.Cli.Commands;
using Qaic.Hosts;

namespace Qaic.Cli.Tests;

[TestClass]
public sealed class DoctorTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("qaic-doctor-");

    public void Dispose() => _root.Delete(recursive: true);

    [TestMethod]
    public void This_machine_can_run_on_the_simulated_card()
    {
        (int code, string output, string error) = Tool.Run("doctor", "--backend", "sim");
        Assert.AreEqual((QaicTool.Success, ""), (code, error));
        StringAssert.Matches(output, new(@"(?m)^ok +simulated card: simulated card \(ONNX Runtime "));
        StringAssert.Contains(output, "Networks run on the simulated card (backend Simulated).");
        Assert.AreEqual(QaicTool.Success, Tool.Run("doctor").Code);
    }

    [TestMethod]
    public void JSON_has_what_the_text_has()
    {
        (_, string text, _) = Tool.Run("doctor", "--backend", "sim");
        JsonElement json = Tool.Json("doctor", "--backend", "sim", "--json");
        Assert.IsTrue(json.GetProperty("canRun").GetBoolean() && json.GetProperty("simulatedCard").GetBoolean());
        JsonElement[] checks = [.. json.GetProperty("checks").EnumerateArray()];
        Assert.IsGreaterThan(10, checks.Length);
        foreach (JsonElement check in checks)
        {
            StringAssert.Matches(text, new($@"(?m)^{check.GetProperty("status").GetString()} +{check.GetProperty("name").GetString()}: "));
        }
    }

    [TestMethod]
    public void Every_problem_is_followed_by_its_remedy()
    {
        Directory.CreateDirectory(Path.Combine(_root.FullName, "opt/qti-aic"));
        string text = Written(Diagnosed(simulated: true), QaicBackend.Auto);
        StringAssert.Matches(text, new(@"warning +SDK: .* tells no version .*\r?\n +→ It may have been copied"));
        StringAssert.Matches(text, new(@"problem +library: .*\r?\n +→ Install the Cloud AI Platform SDK"));
        StringAssert.EndsWith(text.TrimEnd(), "Networks run on the simulated card, because no card is ready (backend Auto).");
        Assert.DoesNotContain("\u001b", text);
    }

    [TestMethod]
    [DataRow(QaicBackend.Auto, true, true, "simulated card, because no card is ready")]
    [DataRow(QaicBackend.Auto, false, false, "neither a card that is ready nor a simulated one")]
    [DataRow(QaicBackend.Aic, true, false, "no card is ready")]
    [DataRow(QaicBackend.Simulated, true, true, "Networks run on the simulated card")]
    [DataRow(QaicBackend.Simulated, false, false, "there is no simulated card")]
    public void The_conclusion_depends_on_the_backend(QaicBackend backend, bool simulated, bool canRun, string conclusion)
    {
        var report = new DoctorReport(Diagnosed(simulated), backend);
        Assert.AreEqual(canRun, report.CanRun);
        StringAssert.Contains(report.Conclusion, conclusion);
        Assert.AreEqual(canRun, report.ToJson()["canRun"]!.GetValue<bool>());
    }

    [TestMethod]
    public void A_backend_that_nobody_knows_is_wrong_usage() => Assert.AreEqual(QaicTool.WrongUsage, Tool.Run("doctor", "--backend", "moon").Code);

    [TestMethod]
    [DataRow(QaicBackend.Auto), DataRow(QaicBackend.Aic)]
    public void The_simulated_card_behind_a_library_is_told_from_a_real_one(QaicBackend backend)
    {
        var report = new DoctorReport(new HostDiagnosis(Machine(simulated: true)) { SimulatedLibrary = "/x/libQAic.so" }, backend);
        Assert.AreEqual($"Networks run on the simulated card behind /x/libQAic.so, not on a real one (backend {backend}).", report.Conclusion);
        Assert.IsTrue(report.CanRun);
        Assert.AreEqual(("/x/libQAic.so", false), (report.ToJson()["simulatedLibrary"]!.GetValue<string>(), report.ToJson()["card"]!.GetValue<bool>()));
    }

    private HostDiagnosis Diagnosed(bool simulated) => new(Machine(simulated));

    private Host Machine(bool simulated) => new()
    {
        Root = _root.FullName,
        Variable = _ => null,
        Simulated = () => simulated ? Platform.Simulated() : throw new DllNotFoundException("libonnxruntime.so"),
    };

    private static string Written(HostDiagnosis diagnosis, QaicBackend backend)
    {
        using var output = new StringWriter();
        new DoctorReport(diagnosis, backend).Write(new ToolConsole(output, output, isRedirected: true).Terminal);
        return output.ToString();
    }
}
