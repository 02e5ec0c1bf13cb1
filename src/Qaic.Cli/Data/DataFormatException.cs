namespace Qaic.Cli.Data;

/// <summary>A file with data is not what it should be. The message names the file, the place in it, what was expected, and what to do.</summary>
internal sealed class DataFormatException : IOException
{
    public DataFormatException(string path, string what, Exception? inner = null)
        : base($"'{path}': {what}", inner)
    {
    }
}
