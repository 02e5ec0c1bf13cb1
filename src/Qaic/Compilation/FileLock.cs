namespace Qaic.Compilation;

/// <summary>Locks of files, and whether they can be relied on.</summary>
/// <remarks>.NET takes them as <c>flock</c>. Some network disks do not honour these, and <c>DOTNET_SYSTEM_IO_DISABLEFILELOCKING</c> turns them off; both without an error.</remarks>
internal static class FileLock
{
    /// <summary>Locks a file for its owner alone, and shows that others notice.</summary>
    /// <param name="path">A file that exists.</param>
    /// <returns>Null if it is locked already, may not be written to, or if its lock keeps nobody out: then nothing may be concluded from having it.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    public static FileStream? TryOwn(string path)
    {
        FileStream owned;
        try
        {
            owned = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (Exception e) when (e is not (FileNotFoundException or DirectoryNotFoundException) && e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        if (KeepsOthersOut(path))
        {
            return owned;
        }

        owned.Dispose();
        return null;
    }

    // Asks for a share, as whoever uses an entry does: if that is refused, sole ownership is too.
    private static bool KeepsOthersOut(string path)
    {
        try
        {
            new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0).Dispose();
            return false;
        }
        catch (IOException e) when (IsLocked(e))
        {
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Whether the exception says that somebody else has the lock: EWOULDBLOCK of Linux and of macOS, and ERROR_SHARING_VIOLATION, as FileStream reports them.</summary>
    public static bool IsLocked(IOException e) => e.HResult is 11 or 35 or unchecked((int)0x80070020);
}
