using System.Text.RegularExpressions;
using System.Xml.Linq;
using Qaic.Options;
using Qaic.TestSupport;

namespace Qaic.Tests.Options;

[TestClass]
public sealed partial class OptionDocumentTests
{
    [TestMethod]
    public void The_page_of_options_is_up_to_date()
    {
        string path = Path.Combine(Repository.Root, "src", "Qaic", "OPTIONS.md");
        string expected = OptionDocument.Markdown();
        if (Environment.GetEnvironmentVariable("QAIC_UPDATE_DOCS") == "1")
        {
            File.WriteAllText(path, expected);
        }

        Assert.AreEqual(expected, File.Exists(path) ? File.ReadAllText(path) : "", $"'{path}' is not what the table says. Write it anew: QAIC_UPDATE_DOCS=1 dotnet test test/Qaic.Tests --filter OptionDocumentTests");
    }

    [TestMethod]
    public void The_page_has_a_row_with_equal_cells_for_every_option()
    {
        string[] rows = [.. OptionDocument.Markdown().Split('\n').Where(l => l.StartsWith("| `", StringComparison.Ordinal))];
        Assert.HasCount(OptionTable.All.Length, rows);
        foreach (string row in rows)
        {
            Assert.IsTrue(Separator().Count(row) is 7 or 9, row);
        }
    }

    [TestMethod]
    [DataRow(60), DataRow(100)]
    public void The_help_names_every_option_within_its_width(int width)
    {
        string[] lines = OptionDocument.HelpText(width).Split('\n');
        foreach (OptionInfo option in OptionTable.All)
        {
            string name = "  --" + option.Keyword.Replace('_', '-');
            Assert.ContainsSingle(lines.Where(l => l == name || l.StartsWith(name + " <", StringComparison.Ordinal)), name);
        }

        Assert.AreEqual("", string.Join('\n', lines.Where(l => l.Length > width)));
        StringAssert.Contains(string.Join(' ', lines.Select(l => l.Trim())), "[1 to 16; default: 1]");
        Assert.Throws<ArgumentOutOfRangeException>(() => OptionDocument.HelpText(10));
    }

    [TestMethod]
    public void Every_option_has_help_and_a_default_in_words()
    {
        foreach (OptionInfo option in OptionTable.All)
        {
            Assert.EndsWith(".", option.Help, option.Keyword);
            Assert.IsGreaterThan(0, option.Default.Length, option.Keyword);
            Assert.IsTrue(option.Flag is null || option.FlagSyntax.StartsWith('-'), option.Keyword);
        }
    }

    [TestMethod]
    public void Summaries_in_the_code_say_what_the_help_says_and_values_what_the_table_says()
    {
        XElement members = XDocument.Load(Path.ChangeExtension(typeof(QaicOptions).Assembly.Location, ".xml")).Root!.Element("members")!;
        foreach (OptionInfo option in OptionTable.All)
        {
            XElement member = members.Elements().Single(m => (string?)m.Attribute("name") == $"P:Qaic.QaicOptions.{option.Property}");
            Assert.AreEqual(option.Help, Text(member.Element("summary")!), option.Keyword);
            Assert.AreEqual(OptionDocument.Facts(option), Text(member.Element("value")!), option.Keyword);
        }

        static string Text(XElement element) => string.Concat(element.Nodes().Select(n => n switch
        {
            XElement { Name.LocalName: "see" } see => OptionTable.All.Single(o => $"P:Qaic.QaicOptions.{o.Property}" == (string)see.Attribute("cref")!).Keyword,
            XElement other => other.Value,
            _ => n.ToString(System.Xml.Linq.SaveOptions.DisableFormatting).Replace("&lt;", "<").Replace("&gt;", ">").Replace("&amp;", "&"),
        })).Trim();
    }

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex Separator();
}
