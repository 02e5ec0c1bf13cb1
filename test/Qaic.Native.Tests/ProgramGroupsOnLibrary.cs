using Qaic.Interop;
using Qaic.Native.Tests.Support;
using Qaic.Tests.Simulation;

namespace Qaic.Native.Tests;

/// <summary>The contract of program groups, on the published library.</summary>
[TestClass]
public sealed class ProgramGroupsOnLibrary : ProgramGroupContract
{
    private protected override QaicApi Api => DropInLibrary.Platform.Api;

    private protected override string QpcPath => Networks.NegationOnAllCores;

    private protected override int Qid => 0;

    private protected override float Expected(float x) => -x;

    [TestCleanup]
    public void Nothing_is_left_alive() => Assert.AreEqual(0u, DropInLibrary.LiveObjects);
}
