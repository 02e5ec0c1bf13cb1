using System.Runtime.InteropServices;

namespace Qaic.Simulation;

/// <summary>Waits for a point in time to a few microseconds, which no wait of .NET does: they count in milliseconds.</summary>
internal sealed partial class PreciseWait(TimeProvider clock)
{
    // The kernel's wake-up comes this much late on an idle host; the rest is spun.
    private const long SpinNanoseconds = 30_000;

    // What is further away is waited for in whole milliseconds, which can be cut short.
    private const long FineNanoseconds = 3_000_000;

    private const int SetTimerSlack = 29;

    private static readonly ManualResetEventSlim s_never = new(initialState: false, spinCount: 0);

    [ThreadStatic]
    private static bool s_hasFineTimer;

    /// <summary>Waits until the clock shows <paramref name="timestamp"/>; returns at once if it is past.</summary>
    /// <exception cref="OperationCanceledException">Cut short; up to 3 ms after it was asked for.</exception>
    public void Until(long timestamp, CancellationToken cancellation)
    {
        long now;
        while ((now = clock.GetTimestamp()) < timestamp)
        {
            cancellation.ThrowIfCancellationRequested();
            TimeSpan left = clock.GetElapsedTime(now, timestamp);
            if (clock == TimeProvider.System)
            {
                WaitOnSystem((long)left.TotalNanoseconds, cancellation);
            }
            else
            {
                WaitOnTimer(left, cancellation);
            }
        }
    }

    private static void WaitOnSystem(long nanoseconds, CancellationToken cancellation)
    {
        if (nanoseconds > FineNanoseconds)
        {
            s_never.Wait((int)Math.Min((nanoseconds - (FineNanoseconds / 2)) / 1_000_000, int.MaxValue), cancellation);
        }
        else if (nanoseconds <= SpinNanoseconds)
        {
            Thread.SpinWait(20);
        }
        else if (OperatingSystem.IsWindows())
        {
            Thread.Sleep(nanoseconds > 2_000_000 ? 1 : 0);
        }
        else
        {
            Sleep(nanoseconds - SpinNanoseconds);
        }
    }

    private void WaitOnTimer(TimeSpan left, CancellationToken cancellation)
    {
        ManualResetEventSlim due = new();
        using ITimer timer = clock.CreateTimer(static e => ((ManualResetEventSlim)e!).Set(), due, TimeSpan.FromTicks(Math.Max(1, left.Ticks)), Timeout.InfiniteTimeSpan);
        due.Wait(cancellation);
    }

    private static void Sleep(long nanoseconds)
    {
        if (!s_hasFineTimer && OperatingSystem.IsLinux())
        {
            // Linux puts wake-ups of a thread together that are less than 50 µs apart, unless it is told not to.
            _ = Prctl(SetTimerSlack, 1, 0, 0, 0);
            s_hasFineTimer = true;
        }

        TimeSpec time = new() { Seconds = 0, Nanoseconds = (nint)nanoseconds };

        // A signal ends it early: the caller looks at the clock again.
        _ = Nanosleep(time, 0);
    }

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    private static partial int Nanosleep(in TimeSpec time, nint remaining);

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Prctl(int option, nuint first, nuint second, nuint third, nuint fourth);

    /// <summary>timespec, time.h; both are C's long on every 64-bit Unix.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
