using Qaic.Interop;
using Qaic.Simulation;
using Qaic.TestSupport;

namespace Qaic.ML.Tests.Faults;

[TestClass]
public sealed class FaultCampaignTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow(1), DataRow(3)]
    public void Probe(int devices)
    {
        foreach (string? function in FaultPlan.Functions.Append(null))
        {
            foreach (var (kind, status) in new (FaultKind, QStatus)[] { (FaultKind.None, 0), (FaultKind.FailsOnce, QStatus.Error), (FaultKind.FailsOnce, QStatus.Busy), (FaultKind.Fails, QStatus.DevError), (FaultKind.Fails, QStatus.TimedOut), (FaultKind.IsLate, 0), (FaultKind.IsHeld, 0), (FaultKind.LosesDevice, 0) })
            {
                var cell = new FaultCell(function, kind, status, devices, 2);
                try
                {
                    var watch = System.Diagnostics.Stopwatch.StartNew();
                    FaultOutcome o = new FaultScenario(cell, 60, 240).Run();
                    TestContext.WriteLine($"{cell}: {o} hits {o.Hits} told {o.Told.Count} {watch.ElapsedMilliseconds} ms {o.Told.FirstOrDefault()?.Message}");
                    if (o.Hits == 0) break;
                }
                catch (AssertFailedException e)
                {
                    TestContext.WriteLine($"FAILED {e.Message}");
                }
            }
        }
    }
}
