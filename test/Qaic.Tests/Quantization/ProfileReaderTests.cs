using System.Globalization;
using System.Text;
using Qaic.Quantization;

namespace Qaic.Tests.Quantization;

/// <summary>What is taken for a profile, what is read of it, and what is said of one that is none.</summary>
[TestClass]
public sealed class ProfileReaderTests
{
    [TestMethod]
    public void A_profile_as_Glow_writes_it_is_read_whole()
    {
        QuantizationProfile profile = ProfileText.Read(ProfileText.Good);
        Assert.AreEqual(("2021-06-30", 0x693AC39E8BB9E42Cul, "p.yaml"), (profile.ToolsVersion, profile.GraphHash, profile.Source));
        Assert.AreEqual("A883:0 Relu:0", string.Join(' ', profile.Tensors.Select(t => t.Name)));
        TensorStatistics tensor = profile.Find("A883:0")!;
        Assert.AreEqual((-2.343419075f, 3.5f), (tensor.Minimum, tensor.Maximum));
        CollectionAssert.AreEqual(new[] { 500, 0, 16777200, 2.9e9 }, tensor.Counts.ToArray());
        Assert.AreEqual(0.1f, profile.Find("Relu:0")!.Maximum);
    }

    [TestMethod]
    public void Entries_of_the_vendors_tools_that_are_no_statistics_are_not_found_as_such_and_survive()
    {
        QuantizationProfile profile = ProfileText.Read(ProfileText.Good);
        Assert.IsNull(profile.Find("CI_QP_Add_228__1:0"));
        Assert.AreEqual((float.MinValue, float.MaxValue), profile.Placeholders.Select(p => (p.Minimum, p.Maximum)).Single());
        Assert.AreEqual(ProfileText.Good, ProfileText.Write(profile));
    }

    [TestMethod]
    [DataRow("CRLF", "\n", "\r\n")]
    [DataRow("lone carriage returns", "\n", "\r")]
    [DataRow("no ends of documents", "...\n", "")]
    [DataRow("no quotes", "'", "")]
    [DataRow("double quotes", "'", "\"")]
    [DataRow("escapes", "'A883:0'", "\"\\x41\\u0038\\U000000383:0\"")]
    [DataRow("more indentation", "\n  ", "\n       ", "- Node", "-      Node")]
    [DataRow("an indented list", "- Node", "  - Node", "\n  M", "\n    M", "\n  H", "\n    H")]
    [DataRow("the entry below its dash", "- Node", "-\n  Node")]
    [DataRow("one line", ", ", ",")]
    [DataRow("a list that goes on", ", ", "\n ,\n   # a comment\n")]
    [DataRow("a list without blanks", "[ ", "[", " ]", "]")]
    [DataRow("a comma at the end", " ]", ", ]")]
    [DataRow("comments", "3.5", "3.5  # largest", "...\n", "# end\n...  # here\n", "- Node", "# next\n- Node")]
    [DataRow("unknown keys", "  Max:", "  Kind: {a: [1, '}'], b: 2}\n  Note: >\n     text: more\n     - text\n  Max:", "Glow", "Made: by\nGlow")]
    [DataRow("unknown keys with lists", "  Max:", "  Tags:\n  - a\n  - b:\n     c\n  Max:")]
    [DataRow("other numbers", "3.5", "+35.0E-1", "1.67772e+07", "16777200", "2.9e+09", "29E8", "             0.0", "             -0")]
    [DataRow("another hash", "0x693AC39E8BB9E42C", "0X693ac39e8bb9e42c")]
    [DataRow("a hash in decimals", "0x693AC39E8BB9E42C", "7582588008348116012")]
    [DataRow("a directive and a byte order mark", "---\nGlow", "\ufeff%YAML 1.2\n---\nGlow")]
    [DataRow("no first mark", "---\nGlow", "Glow")]
    [DataRow("content behind the mark", "---\nGlow", "--- # first\n\n\nGlow")]
    [DataRow("blank lines", "\n", "\n\n  \n")]
    public void What_other_writers_and_people_make_of_it_reads_the_same(string what, params string[] replacements)
    {
        string text = ProfileText.Good;
        for (int i = 0; i < replacements.Length; i += 2)
        {
            string changed = text.Replace(replacements[i], replacements[i + 1], StringComparison.Ordinal);
            Assert.AreNotEqual(text, changed, what);
            text = changed;
        }

        Assert.AreEqual(ProfileText.Described(ProfileText.Read(ProfileText.Good)).Replace(" 80000000 ", " 0 ", StringComparison.Ordinal), ProfileText.Described(ProfileText.Read(text)).Replace(" 80000000 ", " 0 ", StringComparison.Ordinal), what);
    }

    [TestMethod]
    public void Histograms_line_by_line_and_sorted_keys_read_the_same()
    {
        const string Sorted = """
            GlowToolsVersion: 2021-06-30
            ---
            GraphPreLowerHash: 1
            ---
            - Histogram:
              - 500
              - 0
              Max: 3.5
              Min: -2.0e+00
              NodeOutputName: A883:0
            - Max: 1
              Histogram:   # counts
                  - 1
                  # none between
                  - 2.5e0
              NodeOutputName: b
              Min: 0
            """;
        Assert.AreEqual("2021-06-30 1 A883:0 c0000000 40600000 500,0; b 0 3f800000 1,2.5", ProfileText.Described(ProfileText.Read(Sorted)));
    }

    [TestMethod]
    public void Entries_in_braces_read_the_same() =>
        Assert.AreEqual(
            "2021-06-30 693AC39E8BB9E42C A883:0 c0000000 40600000 500,0; it's: 0 3f800000 ",
            ProfileText.Described(ProfileText.Read(ProfileText.Head + "- {NodeOutputName: A883:0, Min: -2, Max: 3.5, \"Histogram\": [500,\n 0], Other: [{a: 1}], More: x}\n- { 'NodeOutputName': 'it''s:',\n Max: 1, Min: 0, Histogram: [] }\n...\n")));

    [TestMethod]
    public void Histograms_may_differ_in_length() => CollectionAssert.AreEqual(new[] { 4, 3, 2 }, Lengths(ProfileText.Read(ProfileText.Good)));

    [TestMethod]
    [DataRow("---\n[]\n...\n")]
    [DataRow("--- []\n...\n")]
    public void A_profile_may_have_no_tensors(string third) => Assert.IsEmpty(ProfileText.Read(ProfileText.Head[..^4] + third).Tensors);

    [TestMethod]
    [DataRow("", 1, "empty")]
    [DataRow("# nothing\n\n", 3, "empty")]
    [DataRow("---\n", 2, "first document")]
    [DataRow("---\n---\n", 2, "first document is empty")]
    [DataRow("---\nGlowToolsVersion: 2021-06-30\n...\n", 4, "second document")]
    [DataRow("---\nGlowToolsVersion: 2021-06-30\n...\n---\nGraphPreLowerHash: 0x1\n...\n", 7, "third document")]
    [DataRow("---\nGraphPreLowerHash: 0x1\n...\n---\nGlowToolsVersion: 2021-06-30\n", 2, "The order is")]
    [DataRow("---\n- NodeOutputName: a\n", 2, "The order is")]
    [DataRow("---\nGlowToolsVersion: 2021-06-30\n---\n- NodeOutputName: a\n", 4, "The order is")]
    [DataRow("---\nOther: 1\n---\n", 3, "has no GlowToolsVersion")]
    [DataRow("---\nGlowToolsVersion:\n---\nGraphPreLowerHash: 1\n---\n[]\n", 2, "GlowToolsVersion is empty")]
    [DataRow("---\nGlowToolsVersion: 1\nGlowToolsVersion: 2\n", 3, "twice")]
    [DataRow("---\nGlowToolsVersion: 1\n---\nGraphPreLowerHash: 0x12345678901234567\n---\n[]\n", 4, "1 to 16 hexadecimal digits")]
    [DataRow("---\nGlowToolsVersion: 1\n---\nGraphPreLowerHash: -5\n---\n[]\n", 4, "hexadecimal digits")]
    [DataRow("{\"a\": 1}", 1, "has no GlowToolsVersion")]
    [DataRow("just text\n", 1, "no colon")]
    [DataRow("GlowToolsVersion: 1\n\tOther: 2\n", 2, "tab")]
    [DataRow("GlowToolsVersion: 'open\n", 1, "not closed")]
    [DataRow("GlowToolsVersion: \"\\q\"\n", 1, "no escape")]
    [DataRow("GlowToolsVersion: \"\\u12\"\n", 1, "hexadecimal")]
    [DataRow("GlowToolsVersion: \"\\UFFFFFFFF\"\n", 1, "no character")]
    [DataRow("GlowToolsVersion: \"a\" b\n", 1, "more behind")]
    [DataRow("GlowToolsVersion: a\u0001b\n", 1, "control character 0x01")]
    public void A_file_that_is_no_profile_is_refused_with_its_line(string text, int line, string expected) => Refused(text, line, expected);

    [TestMethod]
    [DataRow("  Max:             3.5\n", "  Max:             -2.5\n", 8, "Min of 'A883:0' is -2.343419 and Max is -2.5")]
    [DataRow("3.5", "nan", 10, "NaN")]
    [DataRow("3.5", ".NaN", 10, "NaN")]
    [DataRow("-2.34341907501220703125", "-inf", 9, "infinite")]
    [DataRow("-2.34341907501220703125", "-.inf", 9, "infinite")]
    [DataRow("3.5", "1e39", 10, "32 bit float")]
    [DataRow("3.5", "1e999", 10, "too large")]
    [DataRow("3.5", "large", 10, "must be a number")]
    [DataRow("3.5", "0x10", 10, "must be a number")]
    [DataRow("3.5", "3,5", 10, "must be a number")]
    [DataRow("3.5", "", 10, "is missing")]
    [DataRow("3.5", "[1]", 10, "must be a number")]
    [DataRow("3.5", "∞", 10, "must be a number")]
    [DataRow("[ 500,", "[ -500,", 11, "fewer than 0")]
    [DataRow("[ 500,", "[ nan,", 11, "Count 1 in the histogram of 'A883:0' is NaN")]
    [DataRow("[ 500,", "[ 1.7e308, 1.7e308,", 11, "in the histogram of 'A883:0' add up to more")]
    [DataRow("[ 500,", "[ a,", 11, "must be a number")]
    [DataRow("[ 500,", "[ 500, ,", 11, "is missing")]
    [DataRow("[ 500,", "[ 500 [", 11, "go on with ','")]
    [DataRow("[ 500, 0, 1.67772e+07, 2.9e+09 ]", "500", 11, "list of counts")]
    [DataRow("[ 500, 0, 1.67772e+07, 2.9e+09 ]", "", 11, "is empty")]
    [DataRow("2.9e+09 ]", "2.9e+09", 12, "go on with ',' or end with ']'")]
    [DataRow("  Max:             3.5\n", "", 8, "has no Max")]
    [DataRow("  Min:             0.0\n", "", 16, "has no Min")]
    [DataRow("- NodeOutputName:  'A883:0'\n  Min:  ", "- Min:  ", 8, "has no NodeOutputName")]
    [DataRow("'A883:0'", "''", 8, "NodeOutputName is empty")]
    [DataRow("'A883:0'", "Relu:0", 16, "is there twice; line 8")]
    [DataRow("  Max:             3.5\n", "  Max:             3.5\n  Max:             3.5\n", 11, "is there twice; line 10")]
    [DataRow("  Max:             3.5\n", " Max:             3.5\n", 10, "Indent them alike")]
    [DataRow("  Max:             3.5\n", "Max:             3.5\n", 8, "has no Max")]
    [DataRow("  Max:             3.5\n", "    Max:             3.5\n", 10, "Indent them alike")]
    [DataRow("- NodeOutputName:  'A883:0'", "-NodeOutputName:  'A883:0'", 8, "a blank")]
    [DataRow("3 ]\n...\n", "3 ]\n", 20, "cut off")]
    [DataRow("3 ]\n...\n", "3 ]\n...\n---\n[]\n", 21, "fourth document")]
    public void A_damaged_profile_is_refused_with_tensor_and_line(string good, string bad, int line, string expected)
    {
        Assert.Contains(good, ProfileText.Good);
        int at = ProfileText.Good.IndexOf(good, StringComparison.Ordinal);
        Refused(string.Concat(ProfileText.Good.AsSpan(0, at), bad, ProfileText.Good.AsSpan(at + good.Length)), line, expected);
    }

    [TestMethod]
    public void A_profile_that_was_cut_off_anywhere_is_refused()
    {
        for (int length = 0; length < ProfileText.Good.Length - 1; length++)
        {
            Assert.ThrowsExactly<QuantizationFormatException>(() => ProfileText.Read(ProfileText.Good[..length]), $"cut at {length}");
        }
    }

    [TestMethod]
    public void A_binary_file_a_directory_and_a_missing_file_are_told_apart()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-test-");
        try
        {
            string binary = Path.Combine(directory.FullName, "p.bin");
            File.WriteAllBytes(binary, [0x7f, (byte)'E', (byte)'L', (byte)'F', 0, 1]);
            Assert.Contains("no text", Assert.ThrowsExactly<QuantizationFormatException>(() => QuantizationProfile.Load(binary)).Message);
            File.WriteAllBytes(binary, [.. "---\nGlowToolsVersion: "u8, 0xc3, 0x28, 10]);
            Assert.Contains("UTF-8", Assert.ThrowsExactly<QuantizationFormatException>(() => QuantizationProfile.Load(binary)).Message);
            Assert.Contains("directory", Assert.ThrowsExactly<QuantizationFormatException>(() => QuantizationProfile.Load(directory.FullName)).Message);
            Assert.Contains("no profile", Assert.ThrowsExactly<FileNotFoundException>(() => QuantizationProfile.Load(Path.Combine(directory.FullName, "no.yaml"))).Message);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [TestMethod]
    public void The_culture_of_the_user_changes_nothing()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = new CultureInfo("de-DE") { NumberFormat = { NegativeSign = "minus" } };
        try
        {
            Assert.AreEqual(ProfileText.Good, ProfileText.Write(ProfileText.Read(ProfileText.Good)));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [TestMethod]
    public void Buffers_of_the_reader_end_anywhere()
    {
        string good = ProfileText.Described(ProfileText.Read(ProfileText.Good));
        for (int padding = 16384 - ProfileText.Good.Length; padding < 16384; padding++)
        {
            string text = $"#{new string('x', padding - 2)}\n{ProfileText.Good}".Replace("\n", "\r\n", StringComparison.Ordinal);
            Assert.AreEqual(good, ProfileText.Described(ProfileText.Read(text)), $"{padding} characters before it");
        }
    }

    private static void Refused(string text, int line, string expected)
    {
        QuantizationFormatException e = Assert.ThrowsExactly<QuantizationFormatException>(() => ProfileText.Read(text));
        Assert.Contains(expected, e.Message);
        Assert.AreEqual(("p.yaml", line), (e.Path, e.Line), e.Message);
        Assert.StartsWith($"p.yaml({line}): ", e.Message);
    }

    private static int[] Lengths(QuantizationProfile profile) => [.. profile.Tensors.Select(t => t.Counts.Length).Append(profile.Placeholders.First().Counts.Length)];
}
