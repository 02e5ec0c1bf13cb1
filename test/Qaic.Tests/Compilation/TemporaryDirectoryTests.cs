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
        File.WriteAllText(Path.Combine(abandoned, ".owner"), "");
        using var owner = new FileStream(Path.Combine(used, ".owner"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        TemporaryDirectory.Sweep(parent.Path);
        Assert.IsFalse(Directory.Exists(abandoned));
        Assert.IsTrue(Directory.Exists(used));
        Assert.IsTrue(Directory.Exists(foreign));
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
