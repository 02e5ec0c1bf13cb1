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
    public static Session WithProfile(QuantizationProfile profile, QaicOptions options, Func<QaicOptions, Session> open) => InDirectory(directory =>
    {
        string file = Path.Combine(directory, "profile.yaml");
        profile.Save(file);
        return open(options with { ConvertToQuantize = false, DumpProfile = null, LoadProfile = file });
    });

    /// <summary>Profiles rows and compiles with what was seen.</summary>
    /// <remarks>
    /// The profile is kept where <see cref="QaicOptions.DumpProfile"/> says. A compiler that is to find the best calibration (<see cref="QuantizationCalibration.Auto"/>) needs the rows
    /// themselves, to hold some of them out; it gets them as files, and profiles by itself.
    /// </remarks>
    /// <param name="model">The model in float.</param>
    /// <param name="path">Path of the <c>.onnx</c> file.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="options">The options.</param>
    /// <param name="progress">Is told after each batch; null for none.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <param name="profiled">Is told of the profile, if it is made here.</param>
    /// <param name="open">Compiles.</param>
    public static Session WithRows(
        FloatModel model, string path, CalibrationRows rows, QaicOptions options, IProgress<ProfilingProgress>? progress, ILogger logger, Action<QuantizationProfile> profiled, Func<QaicOptions, Session> open)
    {
        if (options.QuantizationCalibration == QuantizationCalibration.Auto)
        {
            return InDirectory(directory => open(options with { InputListFile = WriteList(directory, model, rows) }));
        }

        QuantizationProfile profile = model.Profile(path, rows, options, progress, logger, CancellationToken.None);
        profiled(profile);
        if (options.DumpProfile is not { } file)
        {
            return WithProfile(profile, options, open);
        }

        profile.Save(file);
        return open(options with { ConvertToQuantize = false, DumpProfile = null, LoadProfile = file });
    }

    private static string WriteList(string directory, FloatModel model, CalibrationRows rows)
    {
        try
        {
            return InputListFile.Write(directory, model.Own.Inputs, rows).Path;
        }
        catch (Exception) when (rows.Failure is { } failure)
        {
            failure.Throw();
            throw;
        }
    }

    private static Session InDirectory(Func<string, Session> use)
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-");
        try
        {
            return use(directory.FullName);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
