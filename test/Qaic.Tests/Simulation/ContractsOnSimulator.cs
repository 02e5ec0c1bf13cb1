using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>A simulated card with 16 cores and the doubling engine, of which nothing may be left.</summary>
internal sealed class SimulatedCardUnderTest(int cores)
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-sim-");
    private readonly DoublingEngine _engine = new();

    public SimulatedPlatform Platform => field ??= new SimulatedPlatform(new SimulatedPlatformOptions { Engine = _engine });

    public string Qpc => field ??= new TestQpc { Cores = cores }.Write(_directory.FullName);

    public void AssertNothingIsLeft()
    {
        _directory.Delete(recursive: true);
        Assert.AreEqual(0, Platform.LiveObjects);
        Assert.AreEqual((0, 0), (_engine.LiveNetworks, _engine.LiveExecutions));
        Assert.AreEqual(0, SimulatedApi.Handles.Live<SimulatedQpc>().Count());
    }
}

[TestClass]
public sealed class ProgramGroupsOnSimulator : ProgramGroupContract
{
    private readonly SimulatedCardUnderTest _card = new(cores: 16);

    private protected override QaicApi Api => _card.Platform.Api;

    private protected override string QpcPath => _card.Qpc;

    private protected override int Qid => _card.Platform.FirstQid;

    private protected override float Expected(float x) => 2 * x;

    [TestCleanup]
    public void Nothing_is_left_alive() => _card.AssertNothingIsLeft();
}

[TestClass]
public sealed class ResourcesOnSimulator : ResourceContract
{
    private readonly SimulatedCardUnderTest _card = new(cores: 1);

    private protected override QaicApi Api => _card.Platform.Api;

    private protected override string QpcPath => _card.Qpc;

    private protected override int Qid => _card.Platform.FirstQid;

    [TestCleanup]
    public void Nothing_is_left_alive() => _card.AssertNothingIsLeft();
}
