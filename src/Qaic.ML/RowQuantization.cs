using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.ML;

/// <summary>Where the numbers come from that a network is quantized with, and how they reach the compiler.</summary>
internal static class RowQuantization
{
    /// <summary>Whether options make a network that is quantized by the rows of the data that an estimator is fitted to.</summary>
    /// <remarks>With an input list the compiler has its data, with a profile or encodings it needs none.</remarks>
    public static bool IsByRows(QaicModelOptions options) =>
        options.Options is { InputListFile: null } and ({ ConvertToQuantize: true } or { DumpProfile: not null });

    /// <exception cref="ArgumentException">A profile is given beside another way to compile, or the number of rows is out of range.</exception>
    public static void Check(QaicModelOptions options)
    {
        if (options.CalibrationRows is < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(options), $"{nameof(options.CalibrationRows)} is {options.CalibrationRows}; it must be 1 or more, or null for all rows.");
        }

        string? other = options switch
        {
            { Profile: null } => null,
            { Options.LoadProfile: not null } => nameof(QaicOptions.LoadProfile),
            { Options.DumpProfile: not null } => nameof(QaicOptions.DumpProfile),
            { Options.ConvertToQuantize: true } => nameof(QaicOptions.ConvertToQuantize),
            { Options.ExternalQuantizationFile: not null } => nameof(QaicOptions.ExternalQuantizationFile),
            { Options.ConvertToFp16: true } => nameof(QaicOptions.ConvertToFp16),
            _ => null,
        };
        if (other is not null)
        {
            throw new ArgumentException($"{nameof(options.Profile)} and {nameof(options.Options)}.{other} are given; a network is compiled in one way. Leave one out.", nameof(options));
        }
    }

    /// <summary>Compiles with a profile that is in memory.</summary>
    /// <param name="profile">The profile.</param>
    /// <param name="options">The options.</param>
    /// <param name="open">Compiles.</param>
    public static Session WithProfile(QuantizationProfile profile, QaicOptions options, Func<QaicOptions, Session> open) => TemporaryDirectory.Lend(directory =>
    {
        string file = Path.Combine(directory, "profile.yaml");
        profile.Save(file);
        return open(options with { ConvertToQuantize = false, DumpProfile = null, LoadProfile = file });
    });

    /// <summary>Profiles rows and compiles with what was seen.</summary>
    /// <remarks>
    /// The profile is kept where <see cref="QaicOptions.DumpProfile"/> says, and the network is compiled with a copy of its own: another fit may write to the same place meanwhile. A compiler
    /// that is to find the best calibration (<see cref="QuantizationCalibration.Auto"/>) needs the rows themselves, to hold some of them out; it gets them as files, and profiles by itself.
    /// </remarks>
    /// <param name="model">The model in float.</param>
    /// <param name="path">Path of the <c>.onnx</c> file.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="options">The options, who is told of progress, and what ends the profiling.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <param name="profiled">Is told of the profile, if it is made here.</param>
    /// <param name="open">Compiles.</param>
    public static Session WithRows(
        FloatModel model, string path, CalibrationRows rows, QaicModelOptions options, ILogger logger, Action<QuantizationProfile> profiled, Func<QaicOptions, Session> open)
    {
        QaicOptions compiled = options.Options;
        if (compiled.QuantizationCalibration == QuantizationCalibration.Auto)
        {
            return TemporaryDirectory.Lend(directory => open(compiled with { InputListFile = WriteList(directory, model, rows, options.CancellationToken) }));
        }

        QuantizationProfile profile = model.Profile(path, rows, compiled, options.CalibrationProgress, logger, options.CancellationToken);
        profiled(profile);

        // Kept before the compilation: if that fails, the profile need not be made again.
        if (compiled.DumpProfile is { } file)
        {
            profile.Save(file);
        }

        return WithProfile(profile, compiled, open);
    }

    /// <summary>Refuses, before any work, a calibration that needs the simulated card.</summary>
    /// <exception cref="CompilationException">The best calibration is to be found for a card.</exception>
    public static void CheckCalibration(QaicOptions options, Platform platform)
    {
        if (options.QuantizationCalibration == QuantizationCalibration.Auto && !platform.IsSimulated)
        {
            throw new CompilationException(
                $"The compiler of {platform.Name} cannot choose a calibration by itself: 'auto' in {nameof(QaicOptions.QuantizationCalibration)} (quantization_calibration) is for the simulated card. "
                + "Choose one of None, KLMinimization, KLMinimizationV2, Percentile, MSE and SQNR, or find the best one on the simulated card and give its name.")
            {
                Error = CompilationError.UnknownOption,
            };
        }
    }

    private static string WriteList(string directory, FloatModel model, CalibrationRows rows, CancellationToken cancellationToken)
    {
        try
        {
            return InputListFile.Write(directory, model.Own.Inputs, rows, cancellationToken).Path;
        }
        catch (Exception) when (rows.Failure is { } failure)
        {
            failure.Throw();
            throw;
        }
    }
}
