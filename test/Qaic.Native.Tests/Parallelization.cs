// The library is one for the process, and so are its devices and what is counted as alive.
[assembly: DoNotParallelize]
