using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Runtime;

namespace Qaic.Tests.Sessions;

/// <summary>A machine of three cards and a QPC for it, of one input x and one output y = 2x, float[4, 2]; and the check that nothing is left of them.</summary>
public abstract class SessionTest
{
    private string _directory = null!;

    public TestContext TestContext { get; set; } = null!;

    private protected SimulatedPlatform Machine { get; } = ScalingEngine.Platform(new() { Cards = [new(), new(), new()] });

    private protected FaultPlan Faults => Machine.Faults;

    private protected string Qpc { get; private set; } = null!;

    private protected CancellationToken Cancel => TestContext.CancellationToken;

    [TestInitialize]
    public void WriteQpc()
    {
        _directory = Directory.CreateTempSubdirectory("qaic-test-").FullName;
        Qpc = ScalingEngine.WriteQpc(_directory);
    }

    [TestCleanup]
    public void NothingIsLeft()
    {
        Directory.Delete(_directory, recursive: true);
        Assert.AreEqual(0, QaicHandle.Live, "handles of the runtime");
        Assert.AreEqual(0, Machine.LiveObjects, "objects of the library");
    }

    private protected Session Open(QaicOptions? options = null, Microsoft.Extensions.Logging.ILoggerFactory? log = null) => new(Qpc, options, Machine, log);

    /// <summary>Inputs whose answer tells them from all others.</summary>
    private protected static Dictionary<string, Tensor> Input(int number) => new() { ["x"] = Tensor.Create(Values(number), 4, 2) };

    private protected static float[] Values(int number) => [number, 1, 2, 3, 4, 5, 6, -number];

    private protected static void AssertAnswers(int number, ReadOnlySpan<float> y)
    {
        Assert.AreEqual(2f * number, y[0]);
        Assert.AreEqual(12, y[6]);
        Assert.AreEqual(-2f * number, y[7]);
    }
}
