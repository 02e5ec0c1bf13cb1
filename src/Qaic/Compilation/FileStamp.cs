using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Qaic.Compilation;

/// <summary>What the file system says of a file without its being read. Two equal stamps, taken far enough apart, mean the same content.</summary>
/// <param name="Size">Bytes.</param>
/// <param name="Modified">Time of the last change of the content, in nanoseconds since 1970.</param>
/// <param name="Changed">Time of the last change of content or attributes, which programs cannot set back; 0 where the system does not tell.</param>
/// <param name="Inode">Number of the file on its device; 0 where the system does not tell.</param>
/// <param name="Device">Number of the device; 0 where the system does not tell.</param>
internal readonly partial record struct FileStamp(long Size, long Modified, long Changed, ulong Inode, ulong Device)
{
    private const int AtCurrentDirectory = -100;
    private const int AtEmptyPath = 0x1000;
    private const uint BasicStats = 0x7ff;
    private const int TypeMask = 0xf000;
    private const int RegularFile = 0x8000;

    [ThreadStatic]
    private static bool s_isUntold;

    /// <summary>Whether the system's answer is ignored on this thread, as where it has none; for tests.</summary>
    internal static bool IsUntold
    {
        get => s_isUntold;
        set => s_isUntold = value;
    }

    /// <summary>How long a file must have rested before its times tell one content from the next.</summary>
    /// <remarks>The kernel's clock for files ticks every 1 to 10 ms. Where there are no fractions of a second at all, the file system counts in seconds (ext3) or pairs of them (FAT).</remarks>
    public TimeSpan Resolution => Changed != 0 && Changed % 1_000_000_000 != 0 ? TimeSpan.FromMilliseconds(25) : TimeSpan.FromSeconds(2.5);

    /// <summary>Whether the file rested long enough before <paramref name="time"/> that a later change shows in its stamp. A time in the future never has.</summary>
    public bool RestedBefore(DateTimeOffset time) => Math.Max(Modified, Changed) < Nanoseconds(time - Resolution);

    /// <summary>Whether both are the same file, whatever has happened to its content.</summary>
    public bool IsSameFile(FileStamp other) => (Inode, Device) == (other.Inode, other.Device);

    /// <summary>The stamp of an open file.</summary>
    /// <exception cref="IOException">It cannot be asked for.</exception>
    public static FileStamp Of(SafeFileHandle file)
    {
        bool added = false;
        try
        {
            file.DangerousAddRef(ref added);
            return Ask((int)file.DangerousGetHandle(), "", AtEmptyPath)
                ?? new FileStamp(RandomAccess.GetLength(file), Nanoseconds(File.GetLastWriteTimeUtc(file)), 0, 0, 0);
        }
        finally
        {
            if (added)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>The stamp of the ordinary file at <paramref name="path"/>, at the end of all links.</summary>
    /// <returns>Null if there is none: nothing, a directory, or a pipe or device, which must not be opened because that can wait for ever.</returns>
    public static FileStamp? Of(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        if (Ask(AtCurrentDirectory, path, 0) is { } stamp)
        {
            return stamp;
        }

        // Without statx only the length tells that something is no ordinary file; an empty one is not worth opening either.
        var info = new FileInfo(path);
        info = info.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? info;
        return info.Exists && (OperatingSystem.IsWindows() || info.Length > 0) ? new FileStamp(info.Length, Nanoseconds(info.LastWriteTimeUtc), 0, 0, 0) : null;
    }

    // Null: the system does not tell, or it is no ordinary file.
    private static unsafe FileStamp? Ask(int directory, string path, int flags)
    {
        if (!OperatingSystem.IsLinux() || s_isUntold)
        {
            return null;
        }

        try
        {
            StatX stat = default;
            return StatXOf(directory, path, flags, BasicStats, &stat) == 0 && (stat.Mode & TypeMask) == RegularFile
                ? new FileStamp((long)stat.Size, stat.Modified.Nanoseconds, stat.Changed.Nanoseconds, stat.Inode, ((ulong)stat.DeviceMajor << 32) | stat.DeviceMinor)
                : null;
        }
        catch (EntryPointNotFoundException)
        {
            // A C library from before 2018.
            return null;
        }
    }

    private static long Nanoseconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks * 100;

    private static long Nanoseconds(DateTime utc) => (utc - DateTime.UnixEpoch).Ticks * 100;

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatXOf(int directory, string path, int flags, uint mask, StatX* result);

    /// <summary>struct statx, linux/stat.h: the same on every architecture, unlike struct stat.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatX
    {
        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public ulong Size;

        [FieldOffset(96)]
        public StatXTime Changed;

        [FieldOffset(112)]
        public StatXTime Modified;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }

    /// <summary>struct statx_timestamp, linux/stat.h.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 16)]
    private struct StatXTime
    {
        public long Seconds;
        public uint Fraction;

        public readonly long Nanoseconds => (Seconds * 1_000_000_000) + Fraction;
    }
}
