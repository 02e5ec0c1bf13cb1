using Qaic.Interop;

namespace Qaic.TestSupport;

/// <summary>After every test of an assembly: no native object of the runtime is left.</summary>
[TestClass]
public static class LiveObjects
{
    [GlobalTestCleanup]
    public static void Nothing_native_is_left(TestContext context)
    {
        if (QaicHandle.Live != 0)
        {
            // Tests about owners that forget to dispose leave their objects to the collector.
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.AreEqual(0, QaicHandle.Live, $"Native objects that are alive after {context.TestName}");
    }
}
