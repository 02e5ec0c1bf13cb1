using Microsoft.Extensions.Logging;
using Qaic.Compilation;

namespace Qaic.Tests.Compilation;

/// <summary>"Compiles" by copying a QPC that is there already: the first half, a step, the rest.</summary>
/// <param name="qpc">Path of the QPC.</param>
/// <param name="step">The step; null for a line of output and one of input.</param>
public sealed class SteppedCompiler(string qpc, Action? step = null) : ICompiler
{
    public string Name => "stepped";

    public string Version => "1";

    public string Compile(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(outputDirectory);
        string path = Path.Combine(outputDirectory, "programqpc.bin");
        byte[] bytes = File.ReadAllBytes(qpc);
        using FileStream file = File.Create(path);
        file.Write(bytes.AsSpan(0, bytes.Length / 2));
        file.Flush(flushToDisk: true);
        (step ?? SayAndWait)();
        file.Write(bytes.AsSpan(bytes.Length / 2));
        return path;
    }

    private static void SayAndWait()
    {
        Console.WriteLine("compiling");
        Console.ReadLine();
    }
}
