using Qaic.OnnxRuntime.Accuracy;

namespace Qaic.OnnxRuntime.Tests.Accuracy;

[TestClass]
public sealed class BatchFillTests
{
    [TestMethod]
    [DataRow("0", "0", DisplayName = "one row in a batch of one")]
    [DataRow("0123", "0123", DisplayName = "a full batch")]
    [DataRow("0000", "0", DisplayName = "one row that fills a batch")]
    [DataRow("0120", "012", DisplayName = "three rows and the first again")]
    [DataRow("0101", "01", DisplayName = "two rows twice")]
    [DataRow("0123 4567", "01234567", DisplayName = "two full batches")]
    [DataRow("0123 4501", "012345", DisplayName = "a last batch filled with the first two rows")]
    [DataRow("0123 4012", "01234", DisplayName = "a last batch filled with the first three rows")]
    [DataRow("0123 4560 7012", "012345607", DisplayName = "a row like the first inside the data stays")]
    [DataRow("0123 0123", "01230123", DisplayName = "a last batch like the first is data")]
    public void Rows_that_fill_the_last_batch_are_left_out(string batches, string expected)
    {
        var samples = batches.Split(' ').Select(rows => (IReadOnlyDictionary<string, Tensor>)new Dictionary<string, Tensor>
        {
            ["x"] = Tensor.Create<float>([.. rows.SelectMany(r => new float[] { r, -r })], rows.Length, 2),
            ["id"] = Tensor.Create<long>([.. rows.Select(r => (long)r)], rows.Length),
        });

        IReadOnlyDictionary<string, Tensor>[] trimmed = [.. BatchFill.Trim(samples)];

        Assert.AreEqual(expected, string.Concat(trimmed.SelectMany(s => s["id"].ToArray<long>()).Select(r => (char)r)));
        Assert.AreEqual(expected, string.Concat(trimmed.SelectMany(s => s["x"].ToArray<float>()).Where(v => v > 0).Select(v => (char)v)));
    }

    [TestMethod]
    public void Inputs_without_a_common_batch_stay_as_they_are()
    {
        var sample = new Dictionary<string, Tensor> { ["x"] = Tensor.Create<float>([1, 1], 2), ["y"] = Tensor.Create<float>([1, 1, 1], 3) };
        Assert.AreSame(sample, BatchFill.Trim([sample]).Single());
    }
}
