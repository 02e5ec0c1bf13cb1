using Qaic.Interop;
using Qaic.Simulation;
using Qaic.TestSupport;

namespace Qaic.ML.Tests.Faults;

/// <summary>Every function of the table, and the inference on the card, × every fault, under a session that four threads use and an ML.NET model that scores rows on the same machine.</summary>
/// <remarks>
/// Every day takes a sample; <c>QAIC_TEST_CAMPAIGN=1</c> takes every cell with 1 000 inferences per thread and 10 000 rows, and writes <c>artifacts/fault-campaign.md</c>.
/// </remarks>
[TestClass]
public sealed class FaultCampaignTests
{
    private const int Seed = 20261125;

    private static readonly int s_inferences = Campaign.Size(everyDay: 48, campaign: 1000);
    private static readonly int s_rows = Campaign.Size(everyDay: 180, campaign: 10_000);

    // Of the 14 statuses, for each function and number of devices.
    private static readonly int s_statuses = Campaign.Size(everyDay: 1, campaign: int.MaxValue);

    private static readonly QStatus[] s_failures = [.. Enum.GetValues<QStatus>().Where(s => s != QStatus.Success)];

    // A submission that only finds no room is given back to its caller, also where there are other devices.
    private static readonly QStatus[] s_noRoom = [QStatus.Busy, QStatus.Again, QStatus.NoMem, QStatus.NoSpc];

    private static readonly Dictionary<string, string> s_notCalled = new()
    {
        ["OpenQpc"] = "for libraries without qaicOpenQpcFile",
        ["ExecObjSetDataExt"] = "for networks of several shapes; this one has one",
        ["GetAicVersion"] = "asked once per library, when it is loaded, for the log",
        ["GetResourceInfo"] = "the runtime takes what it needs and learns from the answer",
        ["QpcGetInfo"] = "the runtime reads the file itself",
        ["ProgramGetIoBufferInfo"] = "the I/O descriptor says the same and more",
        ["SetLogLevel"] = "the logger filters",
        ["CreateEvent"] = Events,
        ["ReleaseEvent"] = Events,
        ["EventClear"] = Events,
        ["EventAddCallback"] = Events,
        ["EventRemoveCallback"] = Events,
        ["WaitforEvent"] = Events,
        ["ProgramGroupPropertiesInitDefault"] = Groups,
        ["CreateProgramGroup"] = Groups,
        ["ProgramGroupAddProgram"] = Groups,
        ["ProgramGroupEnable"] = Groups,
        ["ProgramGroupDisable"] = Groups,
        ["ReleaseProgramGroup"] = Groups,
        ["ExecObjGetIoBuffers"] = "for zero-copy buffers; the runtime has its own",
    };

    private const string Events = "the runtime waits for execution objects, as the numbers of events are not public";
    private const string Groups = "a session takes cores of its own";

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void Whatever_fails_nothing_hangs_is_wrong_or_lost_without_an_error_and_all_works_again()
    {
        var table = new FaultTable();
        var defects = new List<string>();
        foreach (int devices in new[] { 1, 3 })
        {
            IReadOnlyDictionary<string, int> calls = Run(new FaultCell(null, FaultKind.None, 0, devices, 1)).Calls;
            string[] rows = [.. calls.Keys.Where(f => calls[f] > 0 || f == "GetDeviceInfo")];
            CollectionAssert.AreEquivalent(calls.Keys.Except(rows).ToArray(), s_notCalled.Keys, "What the runtime calls has changed; a function that it does not call needs a reason here.");
            for (int row = 0; row < rows.Length; row++)
            {
                foreach (FaultCell cell in Cells(rows[row], row, devices, calls[rows[row]]))
                {
                    string outcome = "FAILED";
                    try
                    {
                        outcome = Judge(cell, Run(cell));
                    }
                    catch (Exception e) when (e is AssertFailedException or TimeoutException)
                    {
                        defects.Add(e.Message);
                    }

                    table.Add(row, cell, outcome);
                }
            }
        }

        string text = table.ToMarkdown(s_notCalled);
        TestContext.WriteLine(text);
        if (Campaign.Size(0, 1) == 1)
        {
            string path = Path.Combine(Repository.Root, "artifacts", "fault-campaign.md");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, $"# What faults do\n\n{text}");
        }

        Assert.IsEmpty(defects, string.Join("\n\n", defects));

        // A campaign whose faults meet nothing, or whose every fault is tolerated, has tried nothing.
        Assert.IsGreaterThan(table.Counts.Values.Sum() / 5, table.Counts["reported"]);
        Assert.IsGreaterThan(table.Counts.Values.Sum() / 5, table.Counts["tolerated"]);
        Assert.IsLessThan(table.Counts.Values.Sum() / 20, table.Counts.GetValueOrDefault("not hit"));
    }

    private static FaultOutcome Run(FaultCell cell)
    {
        using var scenario = new FaultScenario(cell, s_inferences, s_rows);
        return scenario.Run();
    }

    private static IEnumerable<FaultCell> Cells(string function, int row, int devices, int calls)
    {
        var random = new Random(Seed + (100 * row) + devices);

        // Fewer calls come when something has failed before.
        int Occurrence() => 1 + random.Next(Math.Max(1, Math.Min(calls / 2, 200)));
        string? name = function.Length == 0 ? null : function;
        QStatus[] shuffled = [.. s_failures];
        random.Shuffle(shuffled);
        foreach (QStatus status in s_failures.Intersect(shuffled.Take(s_statuses)))
        {
            yield return new FaultCell(name, FaultKind.FailsOnce, status, devices, Occurrence());
            yield return new FaultCell(name, FaultKind.Fails, status, devices, Occurrence());
        }

        yield return new FaultCell(name, FaultKind.IsLate, 0, devices, Occurrence());
        yield return new FaultCell(name, FaultKind.IsHeld, 0, devices, Occurrence());
        yield return new FaultCell(name, FaultKind.LosesDevice, 0, devices, Occurrence());
    }

    private static string Judge(FaultCell cell, FaultOutcome outcome)
    {
        bool isKept = outcome.Kept > 0;
        Assert.IsTrue(!isKept || (cell.IsRelease && cell.Status is not (QStatus.Busy or QStatus.Again)), $"{cell}: {outcome.Kept} objects are left.");
        if (outcome.Errors.Count > 0)
        {
            string first = $"{cell}: {outcome.Errors.Count} errors, the first: {outcome.Errors[0].Message}";
            Assert.IsTrue(outcome.Hits > 0 || cell.IsWithoutDevice, first);
            Assert.AreNotEqual(FaultKind.IsHeld, cell.IsWithoutDevice ? FaultKind.None : cell.Kind, first);
            bool isOneOfSeveral = cell.Devices > 1 && cell.Kind is FaultKind.FailsOnce or FaultKind.LosesDevice;
            Assert.IsFalse(isOneOfSeveral && !(cell.Function == "EnqueueExecObj" && s_noRoom.Contains(cell.Status)), first);
        }

        return isKept ? "kept" : outcome.Hits == 0 ? "not hit" : outcome.Errors.Count > 0 ? "reported" : "tolerated";
    }
}
