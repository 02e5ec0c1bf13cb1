namespace Qaic.OnnxRuntime.Tests;

[TestClass]
public static class Assembly
{
    // The first user of ONNX Runtime in a process decides where its messages go; here that must be the engine, not a test that uses ONNX Runtime itself.
    [AssemblyInitialize]
    public static void CreateEnvironment(TestContext context) => context.WriteLine(new OnnxRuntimeEngine().Name);
}
