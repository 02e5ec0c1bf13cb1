using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Compilation;
using Qaic.Options;

namespace Qaic.Cli.Tests;

[TestClass]
public sealed class OptionsAndCacheTests : ToolTest
{
    [TestMethod]
    public void Options_are_those_of_the_table()
    {
        string table = Ok("options");
        using var json = JsonDocument.Parse(Ok("options", "--json"));

        Assert.AreEqual(OptionTable.All.Length, json.RootElement.GetArrayLength());
        foreach (OptionInfo option in OptionTable.All)
        {
            StringAssert.Contains(table, option.Keyword);
        }
    }

    [TestMethod]
    [DataRow("aic_num_cores"), DataRow("--aic-num-cores"), DataRow("-aic-num-cores")]
    public void An_option_is_found_by_all_its_names(string name)
    {
        string facts = Ok("options", name);

        StringAssert.Contains(facts, "-aic-num-cores=<int>");
        StringAssert.Contains(facts, "1 to 16");
    }

    [TestMethod]
    public void The_nearest_option_is_told()
    {
        (int code, _, string error) = Run("options", "aic_num_coers");

        Assert.AreEqual(QaicTool.WrongUsage, code);
        StringAssert.Contains(error, "'aic_num_cores'");
    }

    [TestMethod]
    public void The_cache_lists_what_it_holds_and_keeps_what_is_in_use()
    {
        string directory = At("cache");
        var cache = new CompileCache(directory);
        ICompiler compiler = Platform.Simulated().Compiler;
        using CacheEntry held = cache.GetOrCompile(compiler, Cnn, new QaicOptions { NumCores = 3 }, NullLogger.Instance, TestContext.CancellationToken);
        cache.GetOrCompile(compiler, Cnn, new QaicOptions(), NullLogger.Instance, TestContext.CancellationToken).Dispose();

        Assert.AreEqual(directory, Ok("cache", "path", "--cache-dir", directory).Trim());
        string table = Ok("cache", "--cache-dir", directory);
        StringAssert.Contains(table, "2 networks");
        StringAssert.Matches(table, new(@"digits_cnn\.onnx .* yes +aic_num_cores=3"));

        Ok("cache", "clear", "--older-than", "1h", "--cache-dir", directory);
        Assert.HasCount(2, cache.Entries(), "both were used a moment ago");
        using var cleared = JsonDocument.Parse(Ok("cache", "clear", "--cache-dir", directory, "--json"));
        Assert.AreEqual(1, cleared.RootElement.GetProperty("inUse").GetInt32());
        Assert.IsTrue(cleared.RootElement.GetProperty("freedBytes").GetInt64() > 0);
        using var listed = JsonDocument.Parse(Ok("cache", "list", "--cache-dir", directory, "--json"));
        JsonElement left = listed.RootElement.GetProperty("entries")[0];
        Assert.AreEqual((held.Key, true), (left.GetProperty("key").GetString(), left.GetProperty("inUse").GetBoolean()));
    }

    [TestMethod]
    public void What_was_used_long_ago_is_cleared_by_age()
    {
        string directory = At("cache");
        var cache = new CompileCache(directory);
        ICompiler compiler = Platform.Simulated().Compiler;
        string old, fresh;
        using (CacheEntry entry = cache.GetOrCompile(compiler, Cnn, new QaicOptions { NumCores = 3 }, NullLogger.Instance, TestContext.CancellationToken))
        {
            old = entry.QpcPath;
        }

        using (CacheEntry entry = cache.GetOrCompile(compiler, Cnn, new QaicOptions(), NullLogger.Instance, TestContext.CancellationToken))
        {
            fresh = entry.QpcPath;
        }

        File.SetLastWriteTimeUtc(Path.Combine(Path.GetDirectoryName(old)!, CompileCacheManifest.LeaseName), DateTime.UtcNow.AddDays(-31));

        Ok("cache", "clear", "--older-than", "30d", "--cache-dir", directory);

        Assert.IsFalse(File.Exists(old));
        Assert.IsTrue(File.Exists(fresh));
    }

    [TestMethod]
    [DataRow("30"), DataRow("d"), DataRow("-1d"), DataRow("1w"), DataRow("99999d"), DataRow("36501d"), DataRow("999999999h"), DataRow("2147483647m"), DataRow("")]
    public void An_age_that_is_none_deletes_nothing(string age)
    {
        (int code, _, string error) = Run("cache", "clear", "--older-than", age, "--cache-dir", At("cache"));

        Assert.AreEqual(QaicTool.WrongUsage, code);
        StringAssert.Contains(error, "30d");
    }
}
