using System.Globalization;

namespace Qaic.TestSupport;

/// <summary>Something that reads files from strangers: whatever the bytes, it gives an answer or a documented error, soon, and without much memory.</summary>
/// <param name="Name">Its name, and that of its folder in <c>test/data/regressions</c>.</param>
/// <param name="IsText">Whether the files are text.</param>
/// <param name="Good">Files that it reads.</param>
/// <param name="Read">Reads, and uses what it has read.</param>
/// <param name="IsRefusal">Whether an exception is one that the documentation promises, with a message that names the place.</param>
internal sealed record ReaderUnderTest(string Name, bool IsText, IReadOnlyList<byte[]> Good, Action<byte[]> Read, Predicate<Exception> IsRefusal)
{
    // What a reader may allocate: buffers and tables of a fixed size, and so much per byte of its input.
    private const long AllocatedAtMost = 8 << 20;
    private const long AllocatedPerByte = 1000;

    // Many thousand times what one takes.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private int _round;

    /// <summary>The inputs that were once too much for it.</summary>
    public IEnumerable<string> Regressions => Directory.Exists(Folder) ? Directory.EnumerateFiles(Folder).Order(StringComparer.Ordinal) : [];

    private string Folder => Repository.Data("regressions", Name);

    /// <summary>Reads damaged copies of the good files.</summary>
    /// <returns>How many were refused.</returns>
    /// <exception cref="AssertFailedException">It did worse; the message names the file in which the input is kept.</exception>
    public int Survive(int rounds, int seed)
    {
        int refused = 0;
        var random = new Random(seed);
        string kept = Path.Combine(Repository.Root, "artifacts", "mutations", string.Create(CultureInfo.InvariantCulture, $"{Name}-{seed}-{Environment.ProcessId}"));
        Directory.CreateDirectory(Path.GetDirectoryName(kept)!);
        using (var last = new FileStream(kept, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0))
        {
            OnThread(() =>
            {
                for (_round = 0; _round < rounds; _round++)
                {
                    byte[] good = Good[_round % Good.Count];
                    byte[] damaged = IsText ? Mutation.Of(good, random) : Mutation.OfBinary(good, random);

                    // Kept before it is read, in case that ends the process.
                    last.Position = 0;
                    last.SetLength(damaged.Length);
                    last.Write(damaged);
                    refused += IsRefused(damaged, kept) ? 1 : 0;
                }
            }, kept);
        }

        File.Delete(kept);
        return refused;
    }

    /// <summary>Reads a file that was once too much for it.</summary>
    public void Replay(string path) => OnThread(() => IsRefused(File.ReadAllBytes(path), path), path);

    /// <inheritdoc/>
    public override string ToString() => Name;

    private bool IsRefused(byte[] bytes, string path)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool refused = false;
        try
        {
            Read(bytes);
        }
        catch (Exception e) when (IsRefusal(e))
        {
            refused = true;
        }
        catch (Exception e)
        {
            throw new AssertFailedException($"{Name} met '{path}' with: {e}", e);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.IsLessThanOrEqualTo(AllocatedAtMost + (AllocatedPerByte * bytes.Length), allocated, $"{Name} has allocated so much for the {bytes.Length} bytes of '{path}'.");
        return refused;
    }

    private void OnThread(Action body, string path)
    {
        Exception? defect = null;
        var thread = new Thread(() =>
        {
            try
            {
                body();
            }
            catch (Exception e)
            {
                defect = e;
            }
        })
        { IsBackground = true };
        thread.Start();
        int seen;
        do
        {
            seen = Volatile.Read(ref _round);
        }
        while (!thread.Join(s_patience) && Volatile.Read(ref _round) != seen);
        Assert.IsFalse(thread.IsAlive, $"{Name} does not come to an end of '{path}'.");
        if (defect is not null)
        {
            throw new AssertFailedException(defect.Message, defect);
        }
    }
}
