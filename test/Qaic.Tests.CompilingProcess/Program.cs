using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic;
using Qaic.Compilation;

// compilingprocess <cache> <model> <qpc>
// Says "compiling" when it compiles and goes on with the next line of input; says "made <path>" or "found <path>" and holds the entry until the next line.
var cache = new CompileCache(args[0]);
using (CacheEntry entry = cache.GetOrCompile(new SteppedCompiler(args[2]), args[1], QaicOptions.Default, NullLogger.Instance))
{
    Console.WriteLine($"{(entry.IsHit ? "found" : "made")} {entry.QpcPath}");
    Console.ReadLine();
}

/// <summary>"Compiles" by copying a QPC that is there already: the first half, a line of input, the rest.</summary>
internal sealed class SteppedCompiler(string qpc) : ICompiler
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
        Console.WriteLine("compiling");
        Console.ReadLine();
        file.Write(bytes.AsSpan(bytes.Length / 2));
        return path;
    }
}
