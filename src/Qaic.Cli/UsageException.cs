namespace Qaic.Cli;

/// <summary>A command line says what cannot be done. The message tells what is wrong with it and what to write instead.</summary>
internal sealed class UsageException(string message) : Exception(message);
