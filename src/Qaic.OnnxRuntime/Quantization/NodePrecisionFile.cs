using Microsoft.Extensions.Logging;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>The node precisions that the options ask for.</summary>
internal static partial class NodePrecisionFile
{
    /// <summary>Reads the file of <see cref="QaicOptions.NodePrecisionInfoFile"/>.</summary>
    /// <param name="options">The options.</param>
    /// <param name="logger">Is warned of keys that have no effect.</param>
    /// <returns>No exceptions if the options name no file.</returns>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    /// <exception cref="QuantizationFormatException">It is not as it should be.</exception>
    public static NodePrecision Load(QaicOptions options, ILogger logger)
    {
        if (options.NodePrecisionInfoFile is not { } path)
        {
            return NodePrecision.None;
        }

        var nodes = NodePrecision.Load(path);
        if (!nodes.UnknownKeys.IsEmpty)
        {
            UnknownKeys(logger, path, string.Join(", ", nodes.UnknownKeys));
        }

        return nodes;
    }

    [LoggerMessage(EventId = 4034, Level = LogLevel.Warning, Message = "Node precision file {Path} has keys that are not known and have no effect: {Keys}")]
    private static partial void UnknownKeys(ILogger logger, string path, string keys);
}
