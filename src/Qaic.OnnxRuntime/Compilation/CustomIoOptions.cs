using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime.Tensors;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary>The options about custom IO, applied to a model.</summary>
internal static partial class CustomIoOptions
{
    /// <summary>Reads the file that the options name, before anything that takes long.</summary>
    /// <returns>Null if they name none.</returns>
    /// <exception cref="CompilationException">The file is not as it should be.</exception>
    public static CustomIoFile? Load(QaicOptions options, ILogger logger)
    {
        CustomIoFile? file = options.CustomIoListFile is { } path ? CustomIoFile.Load(path) : null;
        if (file?.Entries.SelectMany(e => e.OtherKeys, (e, key) => key.Key).Distinct().ToArray() is { Length: > 0 } keys && logger.IsEnabled(LogLevel.Warning))
        {
            KeysIgnored(logger, file.Source, string.Join(", ", keys));
        }

        return file;
    }

    /// <summary>Writes the template if the options ask for one, and gives the tensors the types of the host's buffers.</summary>
    /// <param name="options">The options.</param>
    /// <param name="file">The file of <see cref="Load"/>.</param>
    /// <param name="tensors">All inputs, then all outputs.</param>
    /// <returns>The same tensors in the same order.</returns>
    /// <exception cref="CompilationException">The file does not fit the model.</exception>
    /// <exception cref="IOException">The template cannot be written.</exception>
    public static ImmutableArray<TensorSpec> Apply(QaicOptions options, CustomIoFile? file, IEnumerable<OrtTensor> tensors)
    {
        ImmutableArray<TensorSpec> specs =
        [
            .. tensors.Select(t => new TensorSpec(t.Name, OnnxTypes.BufferType(t.DataType)!.Value, [.. t.Shape]) { IsBoolean = t.DataType == (int)TensorElementType.Bool }),
        ];
        if (options.DumpCustomIoConfigTemplateFile is { } path)
        {
            try
            {
                CustomIoFile.Template(specs).Save(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                throw new IOException($"The custom IO template '{path}' (DumpCustomIoConfigTemplateFile, dump_custom_io_config_template_file) cannot be written: {e.Message}", e);
            }
        }

        return file?.Apply(specs) ?? specs;
    }

    [LoggerMessage(EventId = 4005, Level = LogLevel.Warning, Message = "The embedded compiler ignores keys of {File} that it does not know: {Keys}")]
    private static partial void KeysIgnored(ILogger logger, string file, string keys);
}
