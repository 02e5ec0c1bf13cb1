using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Qaic.Compilation;

/// <summary>Runs a program to its end, line by line, and leaves nothing of it behind.</summary>
internal static class QaicExecProcess
{
    /// <summary>Longest line that is passed on whole.</summary>
    internal const int LongestLine = 4096;

    // Inherited by everything that the program starts, so that it is found again where it has left the tree of its parents.
    private const string Mark = "QAIC_COMPILATION";

    // For what cannot be ended: a process that waits for a disk, or one that is hidden from us and holds a pipe.
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);

    /// <summary>Runs it. When it ends, so does everything that it has started.</summary>
    /// <param name="path">Full path of the executable.</param>
    /// <param name="arguments">Its arguments, as they are; no shell sees them.</param>
    /// <param name="line">Receives each line that is not blank, and whether it came by the error stream; never two at once, never after the return; must not throw. Lines longer than 4096 bytes are cut.</param>
    /// <param name="stop">Ends the program, and all it has started.</param>
    /// <returns>The exit code; 128 and its number if a signal ended the program.</returns>
    /// <exception cref="CompilationException">The program cannot be started.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static int Run(string path, IReadOnlyList<string> arguments, Action<string, bool> line, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        string mark = Guid.NewGuid().ToString("n");
        var start = new ProcessStartInfo(path, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[Mark] = mark;

        // Numbers are read with a decimal point and messages come in English, whatever the user speaks.
        start.Environment["LC_ALL"] = "C.UTF-8";
        using Process process = Start(start);
        process.StandardInput.Close();
        var sink = new Sink(line);
        Thread[] readers = [Read(process.StandardOutput.BaseStream, sink, false), Read(process.StandardError.BaseStream, sink, true)];
        try
        {
            Task exit = process.WaitForExitAsync(CancellationToken.None);
            try
            {
                exit.Wait(stop);
            }
            catch (OperationCanceledException)
            {
                KillTree(process, mark);
                exit.Wait(s_grace, CancellationToken.None);
                throw;
            }

            return process.ExitCode;
        }
        finally
        {
            // What still runs may hold the pipes open, and the readers wait for their end.
            KillMarked(mark);
            var waited = Stopwatch.StartNew();
            foreach (Thread reader in readers)
            {
                TimeSpan left = s_grace - waited.Elapsed;
                reader.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            }

            sink.Close();
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new CompilationException($"The compiler '{start.FileName}' cannot be started: {e.Message} Check that it is a program for this machine, or set CompilerPath (compiler_path).", e)
            {
                Error = CompilationError.CompilerUnavailable,
                Arguments = [.. start.ArgumentList],
            };
        }
    }

    private static void KillTree(Process process, string mark)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or AggregateException)
        {
            // It has ended meanwhile, or a part of it has.
        }

        KillMarked(mark);
    }

    // Descendants that were adopted by init are in nobody's tree any more; their environment still tells. Repeated, because they may start others meanwhile.
    private static void KillMarked(string mark)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        byte[] entry = Encoding.ASCII.GetBytes($"{Mark}={mark}");
        HashSet<int> killed = [];
        bool again = true;
        while (again)
        {
            again = false;
            foreach (int id in Marked(entry))
            {
                again |= killed.Add(id) && Kill(id);
            }
        }
    }

    private static IEnumerable<int> Marked(byte[] entry)
    {
        foreach (string directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out int id) && HasMark(directory, entry))
            {
                yield return id;
            }
        }
    }

    private static bool HasMark(string directory, byte[] entry)
    {
        try
        {
            return File.ReadAllBytes($"{directory}/environ").AsSpan().IndexOf(entry) >= 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody else's, or gone.
            return false;
        }
    }

    private static bool Kill(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
            return true;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
        {
            return false;
        }
    }

    // Threads of their own: a pipe that somebody keeps open must not hold a thread of the pool.
    private static Thread Read(Stream stream, Sink sink, bool isError)
    {
        var thread = new Thread(() => Read(stream, line => sink.Add(line, isError))) { IsBackground = true, Name = "qaic compiler output" };
        thread.Start();
        return thread;
    }

    /// <summary>Splits a stream into lines; a lone carriage return ends one too, as progress bars write it.</summary>
    internal static void Read(Stream stream, Action<string> line)
    {
        byte[] buffer = new byte[1 << 14];
        byte[] pending = new byte[LongestLine];
        long length = 0;
        try
        {
            while (stream.Read(buffer) is > 0 and int count)
            {
                foreach (byte b in buffer.AsSpan(0, count))
                {
                    if (b is (byte)'\n' or (byte)'\r')
                    {
                        Emit();
                    }
                    else if (length++ < LongestLine)
                    {
                        pending[length - 1] = b;
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Given up by the owner.
        }

        Emit();

        void Emit()
        {
            string text = Encoding.UTF8.GetString(pending, 0, (int)Math.Min(length, LongestLine)).TrimEnd();
            if (text.Length > 0)
            {
                line(length <= LongestLine ? text : string.Create(CultureInfo.InvariantCulture, $"{text}… ({length - LongestLine} more bytes)"));
            }

            length = 0;
        }
    }

    private sealed class Sink(Action<string, bool> line)
    {
        private readonly Lock _lock = new();
        private bool _closed;

        public void Add(string text, bool isError)
        {
            lock (_lock)
            {
                if (!_closed)
                {
                    line(text, isError);
                }
            }
        }

        public void Close()
        {
            lock (_lock)
            {
                _closed = true;
            }
        }
    }
}
