using System.Runtime.InteropServices;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Cli.Data;

namespace Qaic.Cli.Tests;

/// <summary>Files that are there complete or not at all.</summary>
[TestClass]
public sealed class WholeFileTests : ToolTest
{
    [TestMethod]
    public void What_is_not_completed_is_not_there_and_what_wtargetthere_stays()
    {
        string path = Written("x", "old");
        using (var file = new WholeFile(path))
        {
            file.Stream.WriteByte(1);
        }

        Assert.AreEqual("old", File.ReadAllText(path));
        WholeFile.Write(path, stream => stream.Write("new"u8));
        Assert.AreEqual("new", File.ReadAllText(path));
        Assert.HasCount(1, Directory.GetFiles(At()));
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    [DataRow(false), DataRow(true)]
    public void A_full_disk_leaves_no_half_file(bool completes)
    {
        var file = new WholeFile(At("x"));

        // The file's number stands for a device from now on that is always full.
        using (var full = new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            Assert.AreNotEqual(-1, Duplicate((int)full.SafeFileHandle.DangerousGetHandle(), (int)file.Stream.SafeFileHandle.DangerousGetHandle()));
        }

        file.Stream.WriteByte(1);
        if (completes)
        {
            Assert.Throws<IOException>(file.Complete);
            file.Dispose();
        }
        else
        {
            Assert.Throws<IOException>(file.Dispose);
        }

        Assert.IsEmpty(Directory.GetFiles(At()));
    }

    [TestMethod]
    public void A_directory_is_no_place_for_a_file() => StringAssert.Contains(Assert.Throws<IOException>(() => new WholeFile(At())).Message, "is a directory");

    [TestMethod]
    public void Outputs_that_would_share_a_file_are_refused_before_anything_is_written()
    {
        TensorSpec[] outputs = [new("a/b", ElementType.Float32, [1]), new("c", ElementType.Float32, [1]), new("a_b", ElementType.Float32, [1])];
        var e = Assert.Throws<IOException>(() => new OutputFiles(At("out"), OutputFormat.Npy, outputs));
        StringAssert.Contains(e.Message, "The outputs 'a/b' and 'a_b' would be written to the same file, 'a_b'");
        Assert.IsFalse(Directory.Exists(At("out")));
    }

    [DllImport("libc", EntryPoint = "dup2")]
    private static extern int Duplicate(int number, int target);
}
