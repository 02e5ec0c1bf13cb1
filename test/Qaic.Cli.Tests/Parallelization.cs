using Microsoft.VisualStudio.TestTools.UnitTesting;

// Live native objects are counted per process, and load makes benchmarks late: one test after another; the assemblies run side by side.
[assembly: DoNotParallelize]
