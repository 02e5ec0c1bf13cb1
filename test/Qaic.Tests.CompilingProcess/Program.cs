using Microsoft.Extensions.Logging.Abstractions;
using Qaic;
using Qaic.Compilation;
using Qaic.Tests.Compilation;

// compilingprocess <cache> <model> <qpc>
// compilingprocess <cache>
// Empties the cache and says "freed <bytes>", or else:
// Says "compiling" when it compiles and goes on with the next line of input; says "made <path>" or "found <path>" and holds the entry until the next line.
var cache = new CompileCache(args[0]);
if (args.Length == 1)
{
    Console.WriteLine($"freed {cache.Clear()}");
    return;
}

using (CacheEntry entry = cache.GetOrCompile(new SteppedCompiler(args[2]), args[1], QaicOptions.Default, NullLogger.Instance))
{
    Console.WriteLine($"{(entry.IsHit ? "found" : "made")} {entry.QpcPath}");
    Console.ReadLine();
}
