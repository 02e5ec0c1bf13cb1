using System.Collections.Immutable;
using System.Text;
using Qaic.Compilation;

namespace Qaic.Tests.Compilation;

[TestClass]
public sealed class SpecializationConfigTests
{
    internal const string Classic = """
        {"specializations":[{"batch_size":"1","seq_len":"128","ctx_len":"4096"},
                            {"batch_size":"1","seq_len":"1","ctx_len":"4096"}]}
        """;

    internal const string Named = """
        {"specializations":[{"name":"Prefill","symbols":{"batch_size":"1","seq_len":"128","ctx_len":"4096"}},
                            {"name":"Decode","symbols":{"batch_size":"1","seq_len":"1","ctx_len":"4096"}}]}
        """;

    [TestMethod]
    public void Both_forms_say_the_same()
    {
        SpecializationConfig classic = Parse(Classic), named = Parse(Named);
        Assert.AreEqual("batch_size,1;ctx_len,4096;seq_len,128|batch_size,1;ctx_len,4096;seq_len,1", classic.ToString());
        Assert.AreEqual(classic.ToString(), named.ToString());
        Assert.AreEqual(", ", string.Join(", ", classic.Entries.Select(e => e.Name)));
        Assert.AreEqual("Prefill, Decode", string.Join(", ", named.Entries.Select(e => e.Name)));
        Assert.AreEqual("Decode (batch_size=1, ctx_len=4096, seq_len=1)", named.Entries[1].ToString());
    }

    [TestMethod]
    public void What_is_written_is_the_classic_form_and_reads_the_same()
    {
        SpecializationConfig named = Parse(Named);
        Assert.StartsWith("{\"specializations\":[{\"batch_size\":\"1\",\"ctx_len\":\"4096\",\"seq_len\":\"128\"},", named.ToJson());
        Assert.AreEqual(named.ToString(), Parse(named.ToJson()).ToString());
    }

    [TestMethod]
    public void A_symbol_may_be_called_name_or_symbols_and_have_blanks_and_operators()
    {
        Assert.AreEqual("name,2;past_sequence_length + 1,9;symbols,3", Parse("""{"specializations":[{"name":"2","symbols":"3","past_sequence_length + 1":"9"}]}""").ToString());
        Assert.AreEqual("7 (a=1)", Parse("""{"specializations":[{"name":"7","symbols":{"a":"1"}}]}""").Entries[0].ToString());
        Assert.AreEqual("ä,1", Parse("""{"specializations":[{"\u00e4":"1"}]}""").ToString());
    }

    [TestMethod]
    public void A_byte_order_mark_is_passed_over() =>
        Assert.AreEqual("a,1", SpecializationConfig.Parse([.. Encoding.UTF8.Preamble, .. """{"specializations":[{"a":"1"}]}"""u8], "s.json").ToString());

    [TestMethod]
    [DataRow("", "line 1, column 1", "this is not JSON")]
    [DataRow("{", "line 1, column 2", "this is not JSON")]
    [DataRow("[]", "line 1, column 1, $", "must be an object")]
    [DataRow("null", "$", "must be an object")]
    [DataRow("{}", "$.specializations", "there is no entry")]
    [DataRow("""{"specializations":[]}""", "$.specializations", "there is no entry")]
    [DataRow("""{"specializations":{}}""", "$.specializations", "must be a list")]
    [DataRow("""{"specialisations":[]}""", "$.specialisations", "there is no such member")]
    [DataRow("""{"specializations":[{"a":"1"}],"specializations":[]}""", "$.specializations", "it is there twice")]
    [DataRow("""{"specializations":[7]}""", "$.specializations[0]", "must be an object")]
    [DataRow("""{"specializations":[{}]}""", "$.specializations[0]", "it defines no symbol")]
    [DataRow("""{"specializations":[{"a":"1","a":"2"}]}""", "$.specializations[0].a", "it is there twice")]
    [DataRow("""{"specializations":[{"a":1}]}""", "$.specializations[0].a", "the vendor's compiler refuses numbers")]
    [DataRow("""{"specializations":[{"a":null}]}""", "$.specializations[0].a", "a number in quotes")]
    [DataRow("""{"specializations":[{"a":{"b":"1"}}]}""", "$.specializations[0].a", "a number in quotes")]
    [DataRow("""{"specializations":[{"a":"0"}]}""", "$.specializations[0].a", "'0' is no length")]
    [DataRow("""{"specializations":[{"a":"-1"}]}""", "$.specializations[0].a", "'-1' is no length")]
    [DataRow("""{"specializations":[{"a":" 1"}]}""", "$.specializations[0].a", "' 1' is no length")]
    [DataRow("""{"specializations":[{"a":"1.0"}]}""", "$.specializations[0].a", "'1.0' is no length")]
    [DataRow("""{"specializations":[{"a":"2147483648"}]}""", "$.specializations[0].a", "'2147483648' is no length")]
    [DataRow("""{"specializations":[{"":"1"}]}""", "$.specializations[0]", "a name has 0 characters")]
    [DataRow("""{"specializations":[{"a":"\ud800"}]}""", "$.specializations[0].a", "the text cannot be read")]
    [DataRow("""{"specializations":[{"\udc00":"1"}]}""", "$.specializations[0]", "the text cannot be read")]
    [DataRow("""{"specializations":[{"name":"Prefill"}]}""", "$.specializations[0]", "no \"symbols\"")]
    [DataRow("""{"specializations":[{"name":"Prefill","symbols":{}}]}""", "$.specializations[0]", "it defines no symbol")]
    [DataRow("""{"specializations":[{"name":"P","symbols":{"a":"1"},"b":"2"}]}""", "$.specializations[0]", "beside \"symbols\" there is 'b'")]
    [DataRow("""{"specializations":[{"symbols":{"a":"1","a":"1"}}]}""", "$.specializations[0].symbols.a", "it is there twice")]
    [DataRow("""{"specializations":[{"a":"1"}]} {}""", "line 1", "this is not JSON")]
    [DataRow("""{"specializations":[{"a":"1"},]}""", "line 1", "this is not JSON")]
    [DataRow("""{"specializations":[[[[[[[[[[[[]]]]]]]]]]]]}""", "$.specializations[0]", "must be an object")]
    [DataRow("{\"specializations\":[{\"a\":\"1\",\"b\":\"2\"},\n  {\"a\":\"2\"}]}", "line 2, column 3, $.specializations[1]", "does not define 'b', which entry 0 does")]
    [DataRow("{\"specializations\":[{\"a\":\"1\"},\n{\"a\":\"2\",\"b\":\"2\"}]}", "line 2, column 1, $.specializations[1]", "it defines 'b', which entry 0 does not")]
    [DataRow("""{"specializations":[{"a":"1"},{"a":"2"},{"a":"1"}]}""", "$.specializations[2]", "the same as entry 0")]
    [DataRow("""{"specializations":[{"name":"x","symbols":{"a":"1"}},{"name":"x","symbols":{"a":"2"}}]}""", "$.specializations[1]", "its name 'x' is that of entry 0")]
    public void A_mistake_is_named_with_its_place(string json, string place, string problem)
    {
        string message = Assert.ThrowsExactly<CompilationException>(() => Parse(json)).Message;
        Assert.StartsWith("'s.json', ", message);
        Assert.Contains(place, message);
        Assert.Contains(problem, message);
    }

    [TestMethod]
    public void Every_cut_and_every_changed_byte_is_an_error_or_a_list_and_nothing_else()
    {
        byte[] json = Encoding.UTF8.GetBytes(Named);
        int refused = 0;
        for (int i = 0; i < json.Length; i++)
        {
            byte[] changed = [.. json];
            foreach (byte b in new byte[] { 0, (byte)'"', (byte)'{', (byte)']', 0x80, 0xff })
            {
                changed[i] = b;
                Try(changed);
            }

            Try(json[..i]);
        }

        Assert.IsGreaterThan(json.Length, refused);

        void Try(byte[] bytes)
        {
            try
            {
                Assert.IsNotEmpty(SpecializationConfig.Parse(bytes, "s.json").Entries);
            }
            catch (CompilationException e)
            {
                Assert.IsGreaterThan(0, e.Message.Length);
                refused++;
            }
        }
    }

    [TestMethod]
    public void Size_entries_and_symbols_are_bounded()
    {
        string entries = string.Join(',', Enumerable.Range(1, SpecializationConfig.MaximumEntries + 1).Select(i => $$"""{"a":"{{i}}"}"""));
        Assert.Contains("more than 1024 entries", Message($$"""{"specializations":[{{entries}}]}"""));
        string symbols = string.Join(',', Enumerable.Range(0, 300).Select(i => $"\"s{i}\":\"1\""));
        Assert.Contains("more than 256 symbols", Message($$$"""{"specializations":[{{{{symbols}}}}]}"""));
        Assert.Contains("more than 256 symbols", Message($$$"""{"specializations":[{"symbols":{{{{symbols}}}}}]}"""));
        Assert.Contains("1 to 256 are allowed", Message($$"""{"specializations":[{"{{new string('x', 257)}}":"1"}]}"""));
        Assert.Contains("larger than", Message(new string(' ', SpecializationConfig.MaximumFileSize + 1)));

        static string Message(string json) => Assert.ThrowsExactly<CompilationException>(() => Parse(json)).Message;
    }

    [TestMethod]
    public void Options_ask_for_specializations_by_list_or_by_file_and_not_by_both()
    {
        using var directory = TemporaryDirectory.Create();
        string path = Path.Combine(directory.Path, "s.json");
        File.WriteAllText(path, Named);
        ImmutableArray<ImmutableDictionary<string, int>> list = [Entry(("seq_len", 128), ("batch_size", 1), ("ctx_len", 4096)), Entry(("seq_len", 1), ("batch_size", 1), ("ctx_len", 4096))];
        Assert.IsNull(SpecializationConfig.FromOptions(QaicOptions.Default));
        Assert.IsNull(SpecializationConfig.FromOptions(new() { Specializations = default }));
        Assert.AreEqual(Parse(Named).ToString(), SpecializationConfig.FromOptions(new() { Specializations = list })!.ToString());
        Assert.AreEqual("Prefill", SpecializationConfig.FromOptions(new() { NetworkSpecializationConfig = path })!.Entries[0].Name);
        Assert.Contains("Both", Refused(new() { Specializations = list, NetworkSpecializationConfig = path }));
        Assert.Contains("entry 1: it is the same as entry 0", Refused(new() { Specializations = [list[0], list[0]] }));
        Assert.Contains("entry 1: it does not define 'batch_size', 'ctx_len'", Refused(new() { Specializations = [list[0], Entry(("seq_len", 2))] }));
        Assert.Contains("entry 0: it defines no symbol", Refused(new() { Specializations = [Entry()] }));
        Assert.Contains("entry 0: it defines no symbol", Refused(new() { Specializations = [null!] }));
        Assert.Contains("entry 0: 'seq_len' is 0", Refused(new() { Specializations = [Entry(("seq_len", 0))] }));
        Assert.Contains(path + "x", Assert.ThrowsExactly<FileNotFoundException>(() => SpecializationConfig.Load(path + "x")).Message);

        static string Refused(QaicOptions options) => Assert.ThrowsExactly<CompilationException>(() => SpecializationConfig.FromOptions(options)).Message;
    }

    private static ImmutableDictionary<string, int> Entry(params (string Symbol, int Length)[] symbols) => symbols.ToImmutableDictionary(s => s.Symbol, s => s.Length);

    private static SpecializationConfig Parse(string json) => SpecializationConfig.Parse(Encoding.UTF8.GetBytes(json), "s.json");
}
