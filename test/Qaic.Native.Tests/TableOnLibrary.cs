using Qaic.Interop;
using Qaic.Native.Tests.Support;
using Qaic.Tests.Simulation;

namespace Qaic.Native.Tests;

/// <summary>The contract of the table, on the published library and with a network of the embedded compiler.</summary>
[TestClass]
public sealed class TableOnLibrary : TableContract
{
    private protected override QaicApi Api => DropInLibrary.Platform.Api;

    private protected override string QpcPath => Networks.Negation;

    private protected override int Qid => 0;

    private protected override float Expected(float x) => -x;

    private protected override IDisposable Hold() => DropInLibrary.Hold();

    private protected override void FailNextInference(QStatus status, string message) => DropInLibrary.FailNextInference(status);

    [TestCleanup]
    public void Nothing_is_left_alive() => Assert.AreEqual(0u, DropInLibrary.LiveObjects);
}
