using System.Collections.Immutable;
using System.Reflection;
using Qaic.Options;

namespace Qaic.Tests.Options;

[TestClass]
public sealed class QaicOptionsTests
{
    [TestMethod]
    public void Defaults_are_valid() => QaicOptions.Default.Validate();

    [TestMethod]
    [DataRow(nameof(QaicOptions.DeviceId), -1, "dev_id")]
    [DataRow(nameof(QaicOptions.NumActivations), 0, "num_activations")]
    [DataRow(nameof(QaicOptions.SetSize), 0, "set_size")]
    [DataRow(nameof(QaicOptions.NumCores), 17, "aic_num_cores")]
    [DataRow(nameof(QaicOptions.BatchSize), 0, "batch_size")]
    public void A_number_out_of_range_is_refused_with_both_names_of_the_option(string property, int value, string keyword)
    {
        var options = new QaicOptions();
        typeof(QaicOptions).GetProperty(property)!.SetValue(options, value);
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(options.Validate);
        StringAssert.Contains(e.Message, $"{property} ({keyword})");
        Assert.AreEqual(value, e.ActualValue);
    }

    [TestMethod]
    public void A_symbol_below_one_is_refused_by_name()
    {
        var options = new QaicOptions { OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add("sequence", 0) };
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(options.Validate);
        StringAssert.Contains(e.Message, "'sequence'");
    }

    [TestMethod]
    public void An_unknown_backend_is_refused() =>
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new QaicOptions { Backend = (QaicBackend)9 }.Validate());

    [TestMethod]
    public void Every_property_declares_a_keyword_of_its_own()
    {
        PropertyInfo[] properties = typeof(QaicOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);
        string[] keywords = [.. properties.Select(p => p.GetCustomAttribute<OptionAttribute>()?.Keyword ?? $"({p.Name} has none)")];
        Assert.AreEqual(properties.Length, keywords.Distinct().Count(), string.Join(", ", keywords));
        Assert.IsTrue(keywords.All(k => k.All(c => char.IsAsciiLetterLower(c) || c == '_')), string.Join(", ", keywords));
    }
}
