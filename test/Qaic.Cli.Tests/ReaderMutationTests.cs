using System.Text;
using Qaic.Cli.Commands.Bench;
using Qaic.Cli.Data;
using Qaic.Cli.Tests.Bench;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests;

/// <summary>The tool's readers of files meet damaged ones.</summary>
[TestClass]
public sealed class ReaderMutationTests
{
    private static readonly int s_rounds = Campaign.Size(everyDay: 2_000, campaign: 200_000);

    private static readonly TensorSpec s_spec = new("x", ElementType.Float32, [2, 3]);

    private static readonly string s_result = Path.Combine(Path.GetTempPath(), $"qaic-mutation-{Environment.ProcessId}.json");

    private static readonly Dictionary<string, ReaderUnderTest> s_readers = Readers().ToDictionary(r => r.Name);

    public static IEnumerable<object[]> All => s_readers.Keys.Select(name => new object[] { name });

    public static IEnumerable<object[]> Regressions => s_readers.Values.SelectMany(r => r.Regressions.Select(file => new object[] { r.Name, Path.GetFileName(file) }));

    [ClassCleanup]
    public static void RemoveFile() => File.Delete(s_result);

    [TestMethod, DynamicData(nameof(All))]
    public void Good_files_are_read(string reader)
    {
        foreach (byte[] good in s_readers[reader].Good)
        {
            s_readers[reader].Read(good);
        }
    }

    [TestMethod, DynamicData(nameof(All))]
    public void Damaged_files_are_read_or_refused_in_words(string reader)
    {
        int refused = s_readers[reader].Survive(s_rounds, seed: 7);
        Assert.IsGreaterThan(s_rounds / 10, refused, "else the damage is not worth its name");
    }

    [TestMethod, DynamicData(nameof(Regressions))]
    public void What_was_once_too_much_is_no_longer(string reader, string file) => s_readers[reader].Replay(Repository.Data("regressions", reader, file));

    private static IEnumerable<ReaderUnderTest> Readers()
    {
        byte[] data = new byte[24];
        byte[][] arrays =
        [
            [.. NpyFile.Preamble(ElementType.Float32, [2, 3]), .. data],
            [.. NpyFile.Preamble(ElementType.Int64, [3]), .. data],
            [0x93, .. "NUMPY"u8, 2, 0, 80, 0, 0, 0, .. Encoding.Latin1.GetBytes("{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3), }".PadRight(79) + "\n"), .. data],
        ];
        yield return new("npy", false, arrays, bytes => TensorFile.From(NpyFile.Parse(bytes, "a.npy"), "a.npy", s_spec, hasBatch: true), e => IsOf(e, "a.npy"));
        yield return new(
            "csv", true, [.. new[] { "a,\"b \"\"1\"\"\",c\r\n1,-2.5e3,\"3\"\r\n\r\n4,5,6\n", "a,b,c\n" + string.Concat(Enumerable.Repeat("0.25,1,2\n", 50)) }.Select(Encoding.UTF8.GetBytes)],
            bytes => TensorFile.From(CsvFile.Parse(bytes, "a.csv"), s_spec, hasBatch: true), e => IsOf(e, "a.csv"));
        yield return new("bench-result", true, [Encoding.UTF8.GetBytes(BenchResults.Made(BenchResults.Measured(1000), BenchResults.Measured(2000)).ToJson().ToJsonString(new() { WriteIndented = true }))],
            ReadResult, e => e is IOException && e.Message.StartsWith($"'{s_result}' is no result of qaic bench", StringComparison.Ordinal));
    }

    private static void ReadResult(byte[] bytes)
    {
        File.WriteAllBytes(s_result, bytes);
        BenchFile.Load(s_result);
    }

    private static bool IsOf(Exception e, string path) => e is DataFormatException && e.Message.StartsWith($"'{path}': ", StringComparison.Ordinal);
}
