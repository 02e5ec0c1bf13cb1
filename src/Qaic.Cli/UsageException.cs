namespace Qaic.Cli;

/// <summary>A command line says what cannot be done. The message tells what is wrong with it and what to write instead.</summary>
internal sealed class UsageException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Reads options; what is wrong with them is wrong with the command line.</summary>
    /// <exception cref="UsageException">An option is unknown, or has a value that is none of its own, or options exclude each other.</exception>
    public static QaicOptions Checked(Func<QaicOptions> read)
    {
        try
        {
            QaicOptions options = read();
            options.Validate();
            return options;
        }
        catch (ArgumentException e)
        {
            // Without the name of a parameter, which says nothing to a user.
            string message = e.ParamName is { } name ? e.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal) : e.Message;
            throw new UsageException(message, e);
        }
    }
}
