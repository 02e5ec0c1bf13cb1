using Microsoft.Extensions.Logging;
using Qaic.Interop;

namespace Qaic.Diagnostics;

/// <summary>The runtime's log messages. Event ids are stable: 1000 platform, 2000 device, 3000 session.</summary>
internal static partial class Log
{
    [LoggerMessage(EventId = 1002, Level = LogLevel.Information, Message = "Using {Library}, version {Version}, patch '{Patch}', variant '{Variant}'")]
    public static partial void LibraryLoaded(ILogger logger, string library, string version, string patch, string variant);

    [LoggerMessage(EventId = 1003, Level = LogLevel.Warning, Message = "Networks run on the {Platform}, not on a card: {Reason} Backend Aic makes this an error, backend Simulated makes it a choice without this warning.")]
    public static partial void SimulatedInstead(ILogger logger, string platform, string reason);

    [LoggerMessage(EventId = 2001, Level = LogLevel.Debug, Message = "Activated {Network} on device {DeviceId}: {Activations} activations, set size {SetSize}, in {Elapsed}")]
    public static partial void Activated(ILogger logger, string network, int deviceId, int activations, int setSize, TimeSpan elapsed);

    [LoggerMessage(EventId = 2002, Level = LogLevel.Debug, Message = "Released {Network} on device {DeviceId}")]
    public static partial void Released(ILogger logger, string network, int deviceId);

    [LoggerMessage(EventId = 2003, Level = LogLevel.Warning, Message = "{Function} returned {Status} ({Name}) while the network was released; the device had failed before, or needs a reset")]
    public static partial void ReleaseFailed(ILogger logger, string function, int status, QStatus name);

    [LoggerMessage(EventId = 2004, Level = LogLevel.Warning, Message = "Device {DeviceId}: an inference has been running for {Elapsed}")]
    public static partial void StillRunning(ILogger logger, int deviceId, TimeSpan elapsed);

    [LoggerMessage(EventId = 2005, Level = LogLevel.Warning, Message = "Device {DeviceId}: an inference failed; the network will be loaded again before the next one")]
    public static partial void ActivationLost(ILogger logger, int deviceId, Exception exception);

    [LoggerMessage(EventId = 2006, Level = LogLevel.Warning, Message = "Device {DeviceId}: an inference failed that its owner had given up")]
    public static partial void AbandonedInferenceFailed(ILogger logger, int deviceId, Exception exception);

    [LoggerMessage(EventId = 2007, Level = LogLevel.Warning, Message = "Device {DeviceId} failed; {Count} of its inferences ended well on other devices")]
    public static partial void DeviceLost(ILogger logger, int deviceId, int count, Exception exception);

    [LoggerMessage(EventId = 2008, Level = LogLevel.Warning, Message = "Device {DeviceId} cannot be used; the others go on, and it is tried again in {Pause}")]
    public static partial void DeviceStaysAway(ILogger logger, int deviceId, TimeSpan pause, Exception exception);

    [LoggerMessage(EventId = 2009, Level = LogLevel.Information, Message = "Device {DeviceId} was loaded again and is in use")]
    public static partial void DeviceIsBack(ILogger logger, int deviceId);

    [LoggerMessage(EventId = 2010, Level = LogLevel.Warning, Message = "New options could not be put into force, nor the old ones restored; the next run tries again with the old ones")]
    public static partial void NotRestored(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 3005, Level = LogLevel.Information, Message = "The embedded compiler has no use for some options of {Model}; they are recorded in the QPC only: {Options}")]
    public static partial void OnlyRecorded(ILogger logger, string model, string options);

    [LoggerMessage(EventId = 3004, Level = LogLevel.Warning, Message = "Option CompilerPath (compiler_path) '{Path}' is not used: the {Platform} has a compiler of its own. For a card set Backend to Aic, or compile alone with new QaicExecCompiler(path).Compile")]
    public static partial void CompilerNotUsed(ILogger logger, string path, string platform);

    [LoggerMessage(EventId = 3003, Level = LogLevel.Warning, Message = "{Warning}")]
    public static partial void DoubtfulOption(ILogger logger, string warning);

    [LoggerMessage(EventId = 3002, Level = LogLevel.Warning, Message = "{Model} {Reason}, so it does not run on {Card} but on {Platform}")]
    public static partial void SimulatedForModel(ILogger logger, string model, string reason, string card, string platform);

    [LoggerMessage(EventId = 3001, Level = LogLevel.Information, Message = "Compiled {Model} with {Compiler} {Version} into {Qpc} in {Elapsed}")]
    public static partial void Compiled(ILogger logger, string model, string compiler, string version, string qpc, TimeSpan elapsed);
}
