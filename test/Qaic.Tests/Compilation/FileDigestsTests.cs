using System.Security.Cryptography;
using Qaic.Compilation;

namespace Qaic.Tests.Compilation;

[TestClass]
public sealed class FileDigestsTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-test-");
    private readonly StoppedClock _clock = new();
    private readonly FileDigests _digests;
    private readonly string _file;

    public FileDigestsTests()
    {
        _file = Path.Combine(_directory.FullName, "model.onnx");
        File.WriteAllText(_file, "first");
        _digests = new FileDigests(_directory.CreateSubdirectory("digests").FullName, _clock);
        _clock.Now = Changed();
    }

    public TestContext TestContext { get; set; } = null!;

    public void Dispose() => _directory.Delete(recursive: true);

    [TestMethod]
    public void A_file_that_has_rested_is_read_once()
    {
        _clock.Now += TimeSpan.FromSeconds(5);
        Assert.AreEqual(Sha256("first"), Digest());
        Assert.AreEqual(Sha256("first"), Digest());
        Assert.AreEqual(1, _digests.FilesRead);
    }

    [TestMethod]
    public void A_file_that_was_written_a_moment_ago_is_read_again()
    {
        Digest();
        Digest();
        Assert.AreEqual(2, _digests.FilesRead, "it could have been written again within the same tick");
        _clock.Now += TimeSpan.FromSeconds(5);
        Digest();
        Digest();
        Assert.AreEqual(3, _digests.FilesRead);
    }

    [TestMethod]
    public void A_file_from_the_future_is_read_every_time()
    {
        File.SetLastWriteTimeUtc(_file, _clock.Now.UtcDateTime.AddDays(1));
        _clock.Now += TimeSpan.FromHours(1);
        Digest();
        Digest();
        Assert.AreEqual(2, _digests.FilesRead);
    }

    [TestMethod]
    public void A_change_of_the_same_size_whose_time_was_set_back_is_seen()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("Only statx tells a time that programs cannot set.");
        }

        _clock.Now += TimeSpan.FromDays(1);
        DateTime time = File.GetLastWriteTimeUtc(_file);
        Digest();
        File.WriteAllText(_file, "other");
        File.SetLastWriteTimeUtc(_file, time);
        Assert.AreEqual(Sha256("other"), Digest());
    }

    [TestMethod]
    public void Another_file_of_the_same_size_and_time_in_its_place_is_seen()
    {
        _clock.Now += TimeSpan.FromDays(1);
        Digest();
        string other = _file + ".new";
        File.WriteAllText(other, "other");
        File.SetLastWriteTimeUtc(other, File.GetLastWriteTimeUtc(_file));
        File.Move(other, _file, overwrite: true);
        Assert.AreEqual(Sha256("other"), Digest());
    }

    [TestMethod]
    public void A_memo_that_says_something_else_than_was_written_is_not_believed()
    {
        _clock.Now += TimeSpan.FromDays(1);
        Digest();
        string memo = Directory.GetFiles(Path.Combine(_directory.FullName, "digests")).Single();
        byte[] sound = File.ReadAllBytes(memo);
        for (int i = 0; i < sound.Length; i++)
        {
            byte[] wrong = [.. sound];
            wrong[i] ^= 1;
            File.WriteAllBytes(memo, wrong);
            Assert.AreEqual(Sha256("first"), Digest(), $"byte {i}");
            File.WriteAllBytes(memo, sound[..i]);
            Assert.AreEqual(Sha256("first"), Digest(), $"cut at {i}");
        }

        Assert.AreEqual(1 + (2 * sound.Length), _digests.FilesRead);
    }

    [TestMethod]
    public void Without_a_directory_for_memos_files_are_read_every_time()
    {
        var digests = new FileDigests(Path.Combine(_directory.FullName, "none"), _clock);
        _clock.Now += TimeSpan.FromDays(1);
        Assert.AreEqual(digests.Of(_file, TestContext.CancellationToken), digests.Of(_file, TestContext.CancellationToken));
        Assert.AreEqual(2, digests.FilesRead);
    }

    [TestMethod]
    public void Memos_that_are_old_are_swept()
    {
        _clock.Now += TimeSpan.FromDays(1);
        Digest();
        _digests.Sweep();
        Assert.HasCount(1, Directory.GetFiles(Path.Combine(_directory.FullName, "digests")));
        _clock.Now += TimeSpan.FromDays(100);
        _digests.Sweep();
        Assert.IsEmpty(Directory.GetFiles(Path.Combine(_directory.FullName, "digests")));
    }

    [TestMethod]
    public void Memos_that_are_used_are_kept()
    {
        _clock.Now += TimeSpan.FromDays(1);
        Digest();
        for (int i = 0; i < 2; i++)
        {
            _clock.Now += TimeSpan.FromDays(60);
            Digest();
            _digests.Sweep();
        }

        Digest();
        Assert.AreEqual(1, _digests.FilesRead);
    }

    [TestMethod]
    public void What_is_no_ordinary_file_is_not_opened()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("There is no /dev/zero.");
        }

        Assert.ThrowsExactly<FileNotFoundException>(() => _digests.Of("/dev/zero", TestContext.CancellationToken));
        Assert.ThrowsExactly<FileNotFoundException>(() => _digests.Of(_directory.FullName, TestContext.CancellationToken));
    }

    [TestMethod]
    public void A_stamp_follows_links_to_the_file()
    {
        string link = Path.Combine(_directory.FullName, "link");
        File.CreateSymbolicLink(link, _file);
        Assert.AreEqual(FileStamp.Of(_file), FileStamp.Of(link));
        using FileStream open = File.OpenRead(link);
        Assert.AreEqual(FileStamp.Of(_file), FileStamp.Of(open.SafeFileHandle));
        Assert.AreEqual((5L, File.GetLastWriteTimeUtc(_file)), (FileStamp.Of(_file)!.Value.Size, DateTime.UnixEpoch.AddTicks(FileStamp.Of(_file)!.Value.Modified / 100)));
    }

    private string Digest() => _digests.Of(_file, TestContext.CancellationToken);

    private DateTimeOffset Changed() => new(File.GetLastWriteTimeUtc(_file));

    private static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)));

    private sealed class StoppedClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; }

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
