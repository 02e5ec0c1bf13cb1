namespace Qaic.Tests.Quantization;

/// <summary>Damages a text as accidents do: cut off, bits flipped, lines twice, lines gone, parts of it elsewhere.</summary>
internal static class Mutation
{
    private const string Marks = "[]{}:,'\"-#&*!|>%@`\n\r\t ~0";

    public static byte[] Of(byte[] good, Random random)
    {
        byte[] bytes = [.. good];
        for (int times = random.Next(1, 4); times > 0 && bytes.Length > 0; times--)
        {
            int at = random.Next(bytes.Length);
            int lineEnd = Array.IndexOf(bytes, (byte)'\n', at) is >= 0 and int end ? end + 1 : bytes.Length;
            int lineStart = at == 0 ? 0 : Array.LastIndexOf(bytes, (byte)'\n', at - 1) + 1;
            lineEnd = Math.Max(lineEnd, lineStart);
            switch (random.Next(6))
            {
                case 0:
                    bytes = bytes[..at];
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes = [.. bytes[..lineEnd], .. bytes[lineStart..lineEnd], .. bytes[lineEnd..]];
                    break;
                case 3:
                    bytes = [.. bytes[..lineStart], .. bytes[lineEnd..]];
                    break;
                case 4:
                    bytes[at] = (byte)Marks[random.Next(Marks.Length)];
                    break;
                default:
                    bytes = [.. bytes[..at], .. bytes[random.Next(bytes.Length)..]];
                    break;
            }
        }

        return bytes;
    }
}
