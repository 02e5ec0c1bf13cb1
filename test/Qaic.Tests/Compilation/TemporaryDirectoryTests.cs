using Qaic.Compilation;

namespace Qaic.Tests.Compilation;

[TestClass]
public sealed class TemporaryDirectoryTests
{
    [TestMethod]
    public void What_a_killed_process_has_left_is_swept_and_what_is_in_use_stays()
    {
        using var parent = TemporaryDirectory.Create();
        string abandoned = Directory.CreateDirectory(Path.Combine(parent.Path, "qaic-abandoned")).FullName;
        string used = Directory.CreateDirectory(Path.Combine(parent.Path, "qaic-used")).FullName;
        string foreign = Directory.CreateDirectory(Path.Combine(parent.Path, "qaic-foreign")).FullName;
        string young = Directory.CreateDirectory(Path.Combine(parent.Path, "qaic-young")).FullName;
        File.WriteAllText(Path.Combine(abandoned, "programqpc.bin"), "x");
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(abandoned, "entry")).FullName, "notes.txt"), "x");
        File.WriteAllText(Path.Combine(abandoned, ".owner"), "");
        File.WriteAllText(Path.Combine(young, ".owner"), "");
        using var owner = new FileStream(Path.Combine(used, ".owner"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        foreach (string old in new[] { abandoned, used })
        {
            File.SetLastWriteTimeUtc(Path.Combine(old, ".owner"), DateTime.UtcNow.AddMinutes(-2));
        }

        TemporaryDirectory.Sweep(parent.Path);
        Assert.IsFalse(Directory.Exists(abandoned));
        Assert.IsTrue(Directory.Exists(young), "its maker may not have locked it yet");
        Assert.IsTrue(Directory.Exists(used));
        Assert.IsTrue(Directory.Exists(foreign));
    }

    [TestMethod]
    public void Without_a_lock_only_ones_own_and_old_ones_are_swept()
    {
        using var parent = TemporaryDirectory.Create();
        string old = Directory.CreateDirectory(Path.Combine(parent.Path, "qaic-old")).FullName;
        string young = Directory.CreateDirectory(Path.Combine(parent.Path, "qaic-young")).FullName;
        Directory.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddMinutes(-61));
        TemporaryDirectory.Sweep(parent.Path);
        Assert.IsTrue(Directory.Exists(old), "it may be anybody's");
        TemporaryDirectory.Sweep(parent.Path, isOwn: true);
        Assert.IsFalse(Directory.Exists(old));
        Assert.IsTrue(Directory.Exists(young));
    }

    [TestMethod]
    public void The_lock_goes_last_so_that_what_cannot_be_deleted_is_found_abandoned()
    {
        if (!OperatingSystem.IsLinux() || Environment.IsPrivilegedProcess)
        {
            Assert.Inconclusive("The superuser, and other systems, delete what may not be written to.");
            throw new PlatformNotSupportedException();
        }

        TemporaryDirectory directory = TemporaryDirectory.Create();
        string kept = Directory.CreateDirectory(Path.Combine(directory.Path, "kept")).FullName;
        File.WriteAllText(Path.Combine(kept, "x"), "x");
        File.SetUnixFileMode(kept, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        directory.Dispose();
        Assert.IsTrue(File.Exists(Path.Combine(directory.Path, ".owner")));
        File.SetUnixFileMode(kept, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.SetLastWriteTimeUtc(Path.Combine(directory.Path, ".owner"), DateTime.UtcNow.AddMinutes(-2));
        TemporaryDirectory.Sweep(Path.GetDirectoryName(directory.Path)!);
        Assert.IsFalse(Directory.Exists(directory.Path));
    }

    [TestMethod]
    public void It_is_gone_with_its_owner()
    {
        TemporaryDirectory directory = TemporaryDirectory.Create();
        File.WriteAllText(Path.Combine(directory.Path, "programqpc.bin"), "x");
        directory.Dispose();
        directory.Dispose();
        Assert.IsFalse(Directory.Exists(directory.Path));
    }
}
