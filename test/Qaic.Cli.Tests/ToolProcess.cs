using System.Diagnostics;
using System.Globalization;

namespace Qaic.Cli.Tests;

/// <summary>The tool as a process of its own, which has ended when this is disposed.</summary>
internal sealed class ToolProcess : IDisposable
{
    // Hundreds of times what one takes on an idle machine.
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    private readonly Process _process;

    private ToolProcess(Process process) => _process = process;

    /// <summary>The tool's file.</summary>
    public static string Tool => Path.Combine(AppContext.BaseDirectory, "Qaic.Cli.dll");

    public StreamReader Output => _process.StandardOutput;

    public StreamReader Error => _process.StandardError;

    public static ToolProcess Start(string directory, params string[] args)
    {
        // A shell that starts tests in the background has its children ignore the signal.
        var start = new ProcessStartInfo("env", ["--default-signal=INT", "dotnet", Tool, .. args]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = directory };
        return new ToolProcess(Process.Start(start)!);
    }

    /// <summary>Sends what Ctrl-C sends.</summary>
    public void Interrupt()
    {
        using var kill = Process.Start("kill", ["-INT", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code.</returns>
    /// <exception cref="TimeoutException">It does not end.</exception>
    public async Task<int> Ended(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken).WaitAsync(s_patience, cancellationToken);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}
