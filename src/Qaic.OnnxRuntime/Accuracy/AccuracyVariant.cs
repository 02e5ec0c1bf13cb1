namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>One way to compile a model, to be compared with float32.</summary>
/// <param name="Name">For people: <c>INT8, Percentile 99.99</c>.</param>
/// <param name="Options">
/// Compile-stage options. <see cref="QaicOptions.ConvertToQuantize"/> (or <see cref="QaicOptions.DumpProfile"/>, of which no file is written) stands for a profile of the calibration rows;
/// <see cref="QaicOptions.LoadProfile"/> and <see cref="QaicOptions.ExternalQuantizationFile"/> are used as they are. What concerns devices, caches and files of results is left aside.
/// </param>
public sealed record AccuracyVariant(string Name, QaicOptions Options);
