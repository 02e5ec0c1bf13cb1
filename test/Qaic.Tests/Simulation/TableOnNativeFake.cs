using Qaic.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>The contract of the table through the operating system's loader and C's calling convention.</summary>
public abstract class TableOnNativeFake(params string[] switches) : TableContract, IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-fake-");

    private NativeFake Fake => NativeFake.Build(switches);

    private protected override QaicApi Api => Fake.Platform.Api;

    private protected override string QpcPath => field ??= NativeFake.WriteQpc(_directory.FullName);

    private protected override int Qid => 0;

    private protected override float Expected(float x) => -x;

    private protected override IDisposable Hold() => Fake.Hold();

    private protected override void FailNextInference(QStatus status, string message) => Fake.Fail("qaicExecObjWaitForCompletion", status, message);

    public void Dispose()
    {
        _directory.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    [TestCleanup]
    public void Nothing_is_left_alive() => Assert.AreEqual(0u, Fake.LiveObjects);
}

[TestClass]
public sealed class TableOnNativeFakeWith32BitCounts : TableOnNativeFake;

[TestClass]
public sealed class TableOnNativeFakeWith64BitCounts() : TableOnNativeFake("FAKE_WIDE");
