using Qaic.Benchmarks;
using Spectre.Console;

// Figures are ratios of runs that alternate in this one process; absolute times depend on what else the machine does.
if (Console.IsOutputRedirected)
{
    AnsiConsole.Profile.Width = 160;
}

switch (args)
{
    case ["precision", .. string[] models]:
        PrecisionBenchmark.Run(models);
        return 0;
    case ["calibration", .. string[] models]:
        CalibrationBenchmark.Run(models);
        return 0;
    case ["calibration-parts", .. string[] models]:
        CalibrationParts.Run(models);
        return 0;
    case ["calibration-memory", .. string[] models]:
        CalibrationMemory.Run(models);
        return 0;
    case ["pacing", .. string[] models]:
        PacingBenchmark.Run(models);
        return 0;
    default:
        Console.Error.WriteLine(
            """
            usage: dotnet run -c Release --project test/Qaic.Benchmarks -- <suite> [model …]

              precision           FP16 and INT8 against FP32 on the simulated card, per row
              calibration         profiling against plain inference over the same samples
              calibration-parts   what of profiling is running, showing the inside, counting
              pacing              how a paced card saturates: activations × set size; and how exactly it is paced here
              calibration-memory  peak memory of profiling 100 to 100 000 samples
            """);
        return 1;
}
