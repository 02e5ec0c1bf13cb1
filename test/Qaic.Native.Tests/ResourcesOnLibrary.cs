using Qaic.Interop;
using Qaic.Native.Tests.Support;
using Qaic.Tests.Simulation;

namespace Qaic.Native.Tests;

/// <summary>The contract of a device's resources, on the published library.</summary>
[TestClass]
public sealed class ResourcesOnLibrary : ResourceContract
{
    private protected override QaicApi Api => DropInLibrary.Platform.Api;

    private protected override string QpcPath => Networks.Negation;

    private protected override int Qid => 0;

    [TestCleanup]
    public void Nothing_is_left_alive() => Assert.AreEqual(0u, DropInLibrary.LiveObjects);
}
