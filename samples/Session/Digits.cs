using System.Globalization;
using Qaic;

namespace SessionSample;

/// <summary>The handwritten digits of the sample: 8 × 8 pixels from 0 to 16, and what they are.</summary>
internal static class Digits
{
    private const int Pixels = 64;
    private const int ClassCount = 10;

    /// <summary>Reads the first images as float[count, 1, 8, 8], from 0 to 1, and their labels.</summary>
    public static (Tensor Images, int[] Labels) Read(string csv, int count)
    {
        float[] images = new float[count * Pixels];
        int[] labels = new int[count];
        int row = 0;
        foreach (string line in File.ReadLines(csv).Skip(1).Take(count))
        {
            string[] cells = line.Split(',');
            labels[row] = int.Parse(cells[0], CultureInfo.InvariantCulture);
            for (int i = 0; i < Pixels; i++)
            {
                images[(row * Pixels) + i] = float.Parse(cells[i + 1], CultureInfo.InvariantCulture) / 16;
            }

            row++;
        }

        return (Tensor.Create(images, count, 1, 8, 8), labels);
    }

    /// <summary>The digit with the highest logit in each row.</summary>
    public static int[] Classes(Tensor logits) =>
        [.. logits.ToArray<float>().Chunk(ClassCount).Select(row => Array.IndexOf(row, row.Max()))];

    /// <summary>How many rows have their label.</summary>
    public static int Right(Tensor logits, int[] labels) => Classes(logits).Zip(labels).Count(pair => pair.First == pair.Second);
}
