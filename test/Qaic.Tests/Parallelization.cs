// Live native objects are counted per process, so the classes of one assembly run one after another; the assemblies run side by side.
[assembly: DoNotParallelize]
