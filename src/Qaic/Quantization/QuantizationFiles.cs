using System.Text;

namespace Qaic.Quantization;

/// <summary>Opens and writes the files of this folder, with errors that say which of them it was.</summary>
internal static class QuantizationFiles
{
    /// <summary>Text is UTF-8; what is none is an error and not a question mark.</summary>
    public static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <param name="path">The file.</param>
    /// <param name="what">What it is, for messages: <c>profile</c>.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="QuantizationFormatException">It is a directory.</exception>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static FileStream Open(string path, string what)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FileNotFoundException($"There is no {what} '{path}'.", path, e);
        }
        catch (UnauthorizedAccessException e) when (Directory.Exists(path))
        {
            throw new QuantizationFormatException(path, 0, $"This is a directory; the {what} is a file. Give the path of the file.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"The {what} '{path}' cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The whole content of a file that is small by nature.</summary>
    /// <inheritdoc cref="Open"/>
    public static byte[] ReadAll(string path, string what, int maximum)
    {
        using FileStream stream = Open(path, what);
        if (stream.Length > maximum)
        {
            throw TooLarge();
        }

        byte[] bytes = new byte[stream.Length];
        int length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return stream.ReadByte() >= 0 ? throw TooLarge() : bytes[..length];

        QuantizationFormatException TooLarge() => new(path, 0, $"The file is larger than the {maximum} bytes that a {what} can reasonably have. Check the path.");
    }

    /// <summary>The text of a file, without its byte order mark.</summary>
    /// <exception cref="QuantizationFormatException">It is no text.</exception>
    public static string Decode(ReadOnlySpan<byte> bytes, string path)
    {
        try
        {
            return Utf8.GetString(bytes.StartsWith(Encoding.UTF8.Preamble) ? bytes[3..] : bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new QuantizationFormatException(path, 1 + bytes[..Math.Clamp(e.Index, 0, bytes.Length)].Count((byte)'\n'), "This is no UTF-8 text. Check the path, or save the file as UTF-8.", e);
        }
    }

    /// <summary>Writes a file so that at any time there is either the old one or the whole new one. Makes its directory if that is missing.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write(string path, string what, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        string full = Path.GetFullPath(path);
        string temporary = $"{full}.{Guid.NewGuid():n}.tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(full) ?? full);
            try
            {
                using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
                {
                    write(stream);

                    // A rename can survive a power cut that the bytes did not.
                    stream.Flush(flushToDisk: true);
                }

                File.Move(temporary, full, overwrite: true);
            }
            catch
            {
                File.Delete(temporary);
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The {what} '{full}' cannot be written: {e.Message}", e);
        }
    }
}
