using System.Globalization;
using Qaic.Quantization;
using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Tests.Quantization;

/// <summary>The bytes of a profile, and the checks it stands.</summary>
[TestClass]
public sealed class ProfileWriterTests
{
    [TestMethod]
    public void The_text_is_Glows_to_the_byte()
    {
        double[] counts = new double[40];
        (counts[0], counts[37], counts[39]) = (500, 16777216, 7);
        QuantizationProfile profile = new("2021-06-30", 0x693AC39E8BB9E42C, [new("conv_bias:0", -2.34341907501220703125f, 0.1f, counts)]);
        Assert.AreEqual(
            ProfileText.Head
            + "- NodeOutputName:  'conv_bias:0'\n"
            + "  Min:             -2.34341907501220703125\n"
            + "  Max:             0.100000001490116119384765625\n"
            + "  Histogram:       [ 500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \n"
            + "                     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \n"
            + "                     0, 0, 0, 0, 1.67772e+07, 0, 7 ]\n"
            + "...\n",
            ProfileText.Write(profile));
    }

    [TestMethod]
    public void Writing_reading_and_writing_gives_the_same_bytes_and_the_same_ranges()
    {
        var random = new Random(1);
        List<TensorStatistics> tensors = [.. Enumerable.Range(0, 200).Select(i => Any(random, i))];
        QuantizationProfile profile = new(QuantizationProfile.OwnToolsVersion, 0xAB, tensors);
        string once = ProfileText.Write(profile);
        QuantizationProfile read = ProfileText.Read(once);
        Assert.AreEqual(once, ProfileText.Write(read));
        foreach ((TensorStatistics written, TensorStatistics back) in profile.Tensors.Zip(read.Tensors))
        {
            Assert.AreEqual(
                (written.Name, BitConverter.SingleToInt32Bits(written.Minimum), BitConverter.SingleToInt32Bits(written.Maximum), written.Counts.Length),
                (back.Name, BitConverter.SingleToInt32Bits(back.Minimum), BitConverter.SingleToInt32Bits(back.Maximum), back.Counts.Length));
        }

        Assert.AreEqual(200, read.Tensors.Count);
    }

    [TestMethod]
    [DataRow(float.MaxValue, "340282346638528859811704183484516925440.0")]
    [DataRow(float.MinValue, "-340282346638528859811704183484516925440.0")]
    [DataRow(0f, "0.0")]
    [DataRow(-0f, "-0.0")]
    [DataRow(100f, "100.0")]
    [DataRow(1e-5f, "0.00000999999974737875163555145263671875")]
    public void A_range_is_written_exactly_and_with_one_decimal_at_least(float value, string expected) => Assert.AreEqual(expected, ProfileWriter.Fixed(value));

    [TestMethod]
    public void The_smallest_number_there_is_survives() => Assert.AreEqual(float.Epsilon, float.Parse(ProfileWriter.Fixed(float.Epsilon), CultureInfo.InvariantCulture));

    // As printf("%g") of glibc prints them.
    [TestMethod]
    [DataRow(0, "0")]
    [DataRow(999999, "999999")]
    [DataRow(1000000, "1e+06")]
    [DataRow(1000005, "1e+06")]
    [DataRow(1000015, "1.00002e+06")]
    [DataRow(1234565, "1.23456e+06")]
    [DataRow(1234575, "1.23458e+06")]
    [DataRow(1234565.001, "1.23457e+06")]
    [DataRow(9999995, "1e+07")]
    [DataRow(16777216, "1.67772e+07")]
    [DataRow(2900000000d, "2.9e+09")]
    [DataRow(999999.5, "1e+06")]
    [DataRow(123456.5, "123456")]
    [DataRow(123457.5, "123458")]
    [DataRow(0.5, "0.5")]
    [DataRow(12.25, "12.25")]
    [DataRow(0.000125, "0.000125")]
    [DataRow(0.0000125, "1.25e-05")]
    [DataRow(1e100, "1e+100")]
    [DataRow(2.5e-300, "2.5e-300")]
    public void A_count_has_six_digits_as_in_C(double value, string expected) => Assert.AreEqual(expected, ProfileWriter.General(value));

    [TestMethod]
    [DataRow("it's: here # not:0")]
    [DataRow("back\\slash \"quote\" 'single'")]
    [DataRow("line\nend\ttab\u0001\u0085\u2028")]
    [DataRow("日本語 😀:0")]
    [DataRow("half \ud800 pair")]
    [DataRow(" blanks ")]
    [DataRow("\ufeff")]
    public void Any_name_survives(string name)
    {
        QuantizationProfile profile = new("any: version", 1, [new(name, 0, 1, [1])]);
        QuantizationProfile read = ProfileText.Read(ProfileText.Write(profile));
        Assert.AreEqual((name, "any: version"), (read.Tensors.Single().Name, read.ToolsVersion));
    }

    [TestMethod]
    public void A_profile_without_tensors_survives() =>
        Assert.AreEqual(ProfileText.Head + "[]\n...\n", ProfileText.Write(ProfileText.Read(ProfileText.Head + "[]\n...\n")));

    [TestMethod]
    public void A_file_is_replaced_whole_and_its_directory_is_made()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-test-");
        try
        {
            string path = Path.Combine(directory.FullName, "new", "p.yaml");
            QuantizationProfile profile = ProfileText.Read(ProfileText.Good);
            profile.Save(path);
            profile.Save(path);
            Assert.AreEqual(ProfileText.Good, File.ReadAllText(path));
            Assert.HasCount(1, Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!));
            Assert.AreEqual(path, QuantizationProfile.Load(path).Source);
            Assert.Contains("profile", Assert.ThrowsExactly<IOException>(() => profile.Save(Path.Combine(path, "below", "p.yaml"))).Message);
            Assert.Contains("profile", Assert.ThrowsExactly<IOException>(() => profile.Save(Path.GetDirectoryName(path)!)).Message);
            Assert.HasCount(1, Directory.GetFileSystemEntries(directory.FullName));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [TestMethod]
    public void A_hash_of_our_own_that_differs_is_refused_with_both_and_the_causes()
    {
        QuantizationProfile own = new(QuantizationProfile.OwnToolsVersion, 0xABC, []);
        Assert.IsTrue(own.CheckGraph(0xABC));
        ProfileMismatchException e = Assert.ThrowsExactly<ProfileMismatchException>(() => own.CheckGraph(0xDEF));
        Assert.AreEqual((0xDEFul, 0xABCul), (e.ExpectedHash, e.FoundHash));
        Assert.StartsWith("Graph hash mismatch! The graph has 0xDEF, the profile has 0xABC.", e.Message);
        Array.ForEach(["version of the tool", "another model", "batch size", "node precision"], cause => Assert.Contains(cause, e.Message));
    }

    [TestMethod]
    public void A_hash_of_the_vendors_tools_is_not_compared()
    {
        QuantizationProfile vendors = ProfileText.Read(ProfileText.Good);
        Assert.IsFalse(vendors.IsHashComparable);
        Assert.IsFalse(vendors.CheckGraph(1));
        Assert.IsFalse(vendors.CheckGraph(vendors.GraphHash));
    }

    [TestMethod]
    public void A_name_that_comes_twice_is_refused() =>
        Assert.Contains("'a:0' twice", Assert.ThrowsExactly<ArgumentException>(() => new QuantizationProfile("1", 1, [new("a:0", 0, 1, []), new("a:0", 0, 1, [])])).Message);

    private static TensorStatistics Any(Random random, int number)
    {
        float[] range = [Single(random), Single(random)];
        Array.Sort(range);
        double[] counts = new double[random.Next(0, 600)];
        for (int i = 0; i < counts.Length; i++)
        {
            counts[i] = random.Next(4) == 0 ? Math.Floor(random.NextDouble() * Math.Pow(10, random.Next(1, 16))) : 0;
        }

        return new TensorStatistics($"node_{number}:0", range[0], range[1], counts);
    }

    private static float Single(Random random)
    {
        while (true)
        {
            float value = BitConverter.Int32BitsToSingle((int)random.NextInt64(int.MinValue, int.MaxValue));
            if (float.IsFinite(value))
            {
                return value;
            }
        }
    }
}
