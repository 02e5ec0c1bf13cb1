using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>One simulated machine with a doubling engine; after each test nothing of it may be alive.</summary>
public abstract class SimulatedMachineTest
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-sim-");
    private SimulatedPlatform? _platform;

    private protected DoublingEngine Engine { get; } = new();

    private protected ManualClock Clock { get; } = new();

    private protected SimulatedPlatform Platform => _platform ??= new SimulatedPlatform(Options);

    private protected virtual SimulatedPlatformOptions Options => new() { Engine = Engine };

    private protected QaicApi Api => Platform.Api;

    private protected FaultPlan Faults => Platform.Faults;

    [TestCleanup]
    public void Nothing_is_left_alive()
    {
        _directory.Delete(recursive: true);
        Faults.Clear();
        Assert.AreEqual(0, Platform.LiveObjects);
        Assert.AreEqual((0, 0), (Engine.LiveNetworks, Engine.LiveExecutions));
        Assert.AreEqual(0, SimulatedApi.Handles.Live<SimulatedQpc>().Count());
    }

    private protected string Write(TestQpc qpc) => qpc.Write(_directory.FullName);

    private protected TableClient Client(TestQpc? qpc = null, int device = 0, uint threads = 0) =>
        new(Api, Platform.FirstQid + device, Write(qpc ?? new()), threads);

    private protected unsafe QResourceInfo Resources(int device = 0)
    {
        QResourceInfo info;
        TableClient.Check(Api.GetResourceInfo(Platform.FirstQid + device, &info));
        return info;
    }

    /// <summary>Waits for what a test depends on, with a limit that only a hang reaches.</summary>
    private protected static void Await(Task task) => Assert.IsTrue(task.Wait(TimeSpan.FromSeconds(30)), "What the test waits for did not happen.");

    private protected static void Await(WaitHandle handle) => Assert.IsTrue(handle.WaitOne(TimeSpan.FromSeconds(30)), "What the test waits for did not happen.");
}
