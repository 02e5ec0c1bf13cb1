using Qaic.Compilation;

namespace Qaic.Tests.Compilation;

[TestClass]
public sealed class PrecisionRecordEqualityTests
{
    [TestMethod]
    public void Records_of_the_same_content_are_equal()
    {
        Assert.AreEqual(Record(), Record());
        Assert.AreEqual(Record().GetHashCode(), Record().GetHashCode());
        PrecisionRecord[] others =
        [
            Record() with { Precision = "FP16" },
            Record() with { Percentile = 99 },
            Record() with { IsRowwise = true },
            Record() with { Fp16Nodes = ["c"] },
            Record() with { Fp32Nodes = ["b"] },
            Record() with { RoundedNodes = ["b"] },
            Record() with { QuantizedNodes = [] },
            Record(scale: 2),
        ];
        Array.ForEach(others, other => Assert.AreNotEqual(Record(), other));
    }

    private static PrecisionRecord Record(float scale = 1) => new()
    {
        Precision = "INT8",
        QuantizedNodes = ["a"],
        Fp16Nodes = ["b"],
        Tensors = [new QuantizedTensor("t", null, "weight", [scale, 3], [0, 0], -1, 1)],
    };
}
