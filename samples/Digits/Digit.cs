using Microsoft.ML.Data;

namespace Digits;

/// <summary>One row of the test file: the label, then 64 pixels of 0 to 16.</summary>
public sealed class Digit
{
    [LoadColumn(0)]
    public float Label { get; set; }

    [LoadColumn(1, 64), VectorType(64)]
    public float[] Pixels { get; set; } = new float[64];
}

/// <summary>What the pipeline adds to a row.</summary>
public sealed class Prediction
{
    [ColumnName("logits"), VectorType(10)]
    public float[] Logits { get; set; } = [];
}
