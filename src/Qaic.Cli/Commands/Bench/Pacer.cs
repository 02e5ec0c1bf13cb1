using System.Runtime.InteropServices;

namespace Qaic.Cli.Commands.Bench;

/// <summary>Waits for moments to a few microseconds, without keeping a core busy while they are far away.</summary>
/// <param name="clock">What the time is.</param>
/// <param name="rest">Gives the processor away for about so long; may take longer. Null for the operating system's.</param>
internal sealed class Pacer(TimeProvider clock, Action<TimeSpan>? rest = null)
{
    // The kernel may add its timer slack of 50 µs and the time to wake up; what is nearer than this is awaited on the processor: at 100 requests a second, 2 % of a core.
    private const long Near = 200_000;

    // So that an interruption is noted soon.
    private const long Longest = 50_000_000;

    private readonly Action<TimeSpan> _rest = rest ?? Rest;
    private readonly long _start = clock.GetTimestamp();

    /// <summary>Nanoseconds since the pacer was made.</summary>
    public long Now => (long)((Int128)(clock.GetTimestamp() - _start) * 1_000_000_000 / clock.TimestampFrequency);

    /// <summary>Returns at a moment, at once if it has passed.</summary>
    /// <param name="moment">In nanoseconds, as <see cref="Now"/>.</param>
    /// <param name="cancellationToken">Ends the wait early.</param>
    public void WaitUntil(long moment, CancellationToken cancellationToken)
    {
        for (long left; (left = moment - Now) > 0 && !cancellationToken.IsCancellationRequested;)
        {
            if (left > Near)
            {
                _rest(TimeSpan.FromTicks(Math.Min(left - Near, Longest) / 100));
            }
            else
            {
                Thread.SpinWait(10);
            }
        }
    }

    // Thread.Sleep knows whole milliseconds only.
    private static void Rest(TimeSpan time)
    {
        if (OperatingSystem.IsLinux() && Environment.Is64BitProcess)
        {
            var request = new Timespec((nint)(time.Ticks / TimeSpan.TicksPerSecond), (nint)(time.Ticks % TimeSpan.TicksPerSecond * 100));

            // A signal ends it early, and then the caller looks at the clock again.
            _ = NanoSleep(in request, 0);
        }
        else
        {
            Thread.Sleep(Math.Max((int)time.TotalMilliseconds - 1, 0));
        }
    }

    [DllImport("libc", EntryPoint = "nanosleep")]
    private static extern int NanoSleep(in Timespec request, nint remaining);

    /// <summary>struct timespec, time.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Timespec(nint Seconds, nint Nanoseconds);
}
