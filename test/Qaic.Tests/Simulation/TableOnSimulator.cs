using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

[TestClass]
public sealed class TableOnSimulator : TableContract, IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-sim-");
    private readonly DoublingEngine _engine = new();
    private readonly SimulatedPlatform _platform;
    private readonly string _qpc;

    public TableOnSimulator()
    {
        _platform = new SimulatedPlatform(new SimulatedPlatformOptions { Engine = _engine });
        _qpc = new TestQpc().Write(_directory.FullName);
    }

    private protected override QaicApi Api => _platform.Api;

    private protected override string QpcPath => _qpc;

    private protected override int Qid => _platform.FirstQid;

    private protected override float Expected(float x) => 2 * x;

    private protected override IDisposable Hold() => _platform.Faults.HoldInference();

    private protected override void FailNextInference(QStatus status, string message) => _platform.Faults.FailInference((int)status, message, occurrence: 1);

    public void Dispose() => _directory.Delete(recursive: true);

    [TestCleanup]
    public void Nothing_is_left_alive()
    {
        Assert.AreEqual(0, _platform.LiveObjects);
        Assert.AreEqual((0, 0), (_engine.LiveNetworks, _engine.LiveExecutions));
        Assert.AreEqual(0, SimulatedApi.Handles.Live<SimulatedQpc>().Count());
    }
}
