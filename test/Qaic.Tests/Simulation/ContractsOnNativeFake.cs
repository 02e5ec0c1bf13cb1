using Qaic.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

[TestClass]
public sealed class ResourcesOnNativeFake : ResourceContract
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-fake-");

    private protected override QaicApi Api => NativeFake.Build().Platform.Api;

    private protected override string QpcPath => field ??= NativeFake.WriteQpc(_directory.FullName);

    private protected override int Qid => 0;

    [TestCleanup]
    public void Nothing_is_left_alive()
    {
        _directory.Delete(recursive: true);
        Assert.AreEqual(0u, NativeFake.Build().LiveObjects);
    }
}

/// <summary>On a device with the one core that the network takes.</summary>
[TestClass]
public sealed class ProgramGroupsOnNativeFake : ProgramGroupContract
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-fake-");

    private static NativeFake Fake => NativeFake.Build("CORES=1");

    private protected override QaicApi Api => Fake.Platform.Api;

    private protected override string QpcPath => field ??= NativeFake.WriteQpc(_directory.FullName);

    private protected override int Qid => 0;

    private protected override float Expected(float x) => -x;

    [TestCleanup]
    public void Nothing_is_left_alive()
    {
        _directory.Delete(recursive: true);
        Assert.AreEqual(0u, Fake.LiveObjects);
    }
}
