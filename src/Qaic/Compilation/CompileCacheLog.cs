using Microsoft.Extensions.Logging;

namespace Qaic.Compilation;

/// <summary>The cache's log messages. Event ids are stable: 3100 to 3199.</summary>
internal static partial class CompileCacheLog
{
    [LoggerMessage(EventId = 3101, Level = LogLevel.Information, Message = "Found {Model} compiled by {Compiler} {Version} in {Qpc}; compiling it had taken {Elapsed}")]
    public static partial void Found(ILogger logger, string model, string compiler, string version, string qpc, TimeSpan elapsed);

    [LoggerMessage(EventId = 3102, Level = LogLevel.Warning, Message = "When {Model} was compiled: {Remark}")]
    public static partial void Remark(ILogger logger, string model, string remark);

    [LoggerMessage(EventId = 3103, Level = LogLevel.Debug, Message = "{Model} is compiled without the cache, because {Reason}")]
    public static partial void Bypassed(ILogger logger, string model, string reason);

    [LoggerMessage(EventId = 3104, Level = LogLevel.Warning, Message = "The compile cache in {Directory} cannot be used, so {Model} is compiled and not kept: {Reason} Set QAIC_CACHE_DIR or the option CacheDirectory (cache_dir) to a directory that can be written to, or UseCache (use_cache) to false")]
    public static partial void Unusable(ILogger logger, string directory, string model, string reason);

    [LoggerMessage(EventId = 3105, Level = LogLevel.Warning, Message = "The compile cache's entry {Entry} is damaged, so {Model} is compiled again: {Problem}")]
    public static partial void Damaged(ILogger logger, string entry, string model, string problem);

    [LoggerMessage(EventId = 3106, Level = LogLevel.Information, Message = "{Model} is being compiled already, by another session or process; waiting for it")]
    public static partial void Waiting(ILogger logger, string model);

    [LoggerMessage(EventId = 3107, Level = LogLevel.Warning, Message = "{Model}, or a file it was compiled with, was changed during the compilation; the result is used now and not kept")]
    public static partial void ChangedMeanwhile(ILogger logger, string model);

    [LoggerMessage(EventId = 3108, Level = LogLevel.Information, Message = "Removed {Count} compiled networks of {Bytes} bytes from the compile cache in {Directory}, which is held to {Limit} bytes")]
    public static partial void Trimmed(ILogger logger, int count, long bytes, string directory, long limit);
}
