using System.Buffers.Binary;
using System.Text;

namespace Qaic.TestSupport;

/// <summary>Damages a file as accidents and malice do: cut off, bits flipped, parts twice, gone or elsewhere, numbers at their extremes, nested deeply.</summary>
internal static class Mutation
{
    private const string Marks = "[]{}:,'\"-#&*!|>%@`\n\r\t ~0";

    private static readonly string[] s_texts =
    [
        "0", "-1", "2147483648", "-2147483649", "9223372036854775808", "99999999999999999999999999", "1e999", "-1e-999", "NaN", ".inf", "Infinity", "0x7fffffffffffffff", "null", "~", "true", "''",
        "\"\"", "[]", "{}", "\uFEFF", "\0", "\u2028", "\ud7ff", "\\ud800", "&a *a", "<<: *a", "!!binary x", "? ", "--- ", "... ", "- - - ", "%YAML 9.9\n---\n",
    ];

    private static readonly string[] s_nests = ["[", "{", "{\"a\":", "[[", "{a: ", "- ", "(", "\t", "? ", "!a "];

    private static readonly ulong[] s_numbers =
    [
        0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, long.MaxValue, 1UL << 63, ulong.MaxValue - 7, ulong.MaxValue,
    ];

    /// <summary>A damaged text; one to three things happen to it.</summary>
    public static byte[] Of(byte[] good, Random random) => Repeat(good, random, OnceAsText);

    /// <summary>A damaged message of protobuf, or another binary file; one to three things happen to it.</summary>
    public static byte[] OfBinary(byte[] good, Random random) => Repeat(good, random, OnceAsBinary);

    private static byte[] Repeat(byte[] good, Random random, Func<byte[], Random, byte[]> once)
    {
        byte[] bytes = [.. good];
        for (int times = random.Next(1, 4); times > 0 && bytes.Length > 0; times--)
        {
            bytes = once(bytes, random);
        }

        return bytes;
    }

    private static byte[] OnceAsText(byte[] bytes, Random random)
    {
        int at = random.Next(bytes.Length);
        int lineEnd = Array.IndexOf(bytes, (byte)'\n', at) is >= 0 and int end ? end + 1 : bytes.Length;
        int lineStart = at == 0 ? 0 : Array.LastIndexOf(bytes, (byte)'\n', at - 1) + 1;
        lineEnd = Math.Max(lineEnd, lineStart);
        switch (random.Next(9))
        {
            case 0:
                return bytes[..at];
            case 1:
                bytes[at] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 2:
                return [.. bytes[..lineEnd], .. bytes[lineStart..lineEnd], .. bytes[lineEnd..]];
            case 3:
                return [.. bytes[..lineStart], .. bytes[lineEnd..]];
            case 4:
                bytes[at] = (byte)Marks[random.Next(Marks.Length)];
                return bytes;
            case 5:
                return [.. bytes[..at], .. bytes[random.Next(bytes.Length)..]];
            case 6:
                (int from, int to) = WordAt(bytes, at);
                return [.. bytes[..from], .. Encoding.UTF8.GetBytes(s_texts[random.Next(s_texts.Length)]), .. bytes[to..]];
            case 7:
                return [.. bytes[..at], .. Encoding.UTF8.GetBytes(s_texts[random.Next(s_texts.Length)]), .. bytes[at..]];
            default:
                // Rarely: it is long. A parser that calls itself for each would end the process.
                int depth = random.Next(16) == 0 ? random.Next(20_000) : random.Next(80);
                return [.. bytes[..at], .. Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(s_nests[random.Next(s_nests.Length)], depth))), .. bytes[at..]];
        }
    }

    private static byte[] OnceAsBinary(byte[] bytes, Random random)
    {
        int at = random.Next(bytes.Length);
        switch (random.Next(8))
        {
            case 0:
                return bytes[..at];
            case 1:
                bytes[at] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 2:
                int end = random.Next(at, Math.Min(bytes.Length, at + 64) + 1);
                return [.. bytes[..end], .. bytes[at..end], .. bytes[end..]];
            case 3:
                return [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + 1 + random.Next(16))..]];
            case 4:
                return [.. bytes[..at], .. bytes[random.Next(bytes.Length)..]];
            case 5:
                // In the place of the number that may stand here, and of its own length.
                int next = at;
                while (next < bytes.Length - 1 && bytes[next] >= 0x80)
                {
                    next++;
                }

                return [.. bytes[..at], .. Varint(s_numbers[random.Next(s_numbers.Length)]), .. bytes[(next + 1)..]];
            case 6:
                byte[] word = new byte[8];
                BinaryPrimitives.WriteUInt64LittleEndian(word, s_numbers[random.Next(s_numbers.Length)]);
                word.AsSpan(0, Math.Min(8, bytes.Length - at)).CopyTo(bytes.AsSpan(at));
                return bytes;
            default:
                // What is here as a message in a message in a message.
                byte tag = (byte)((random.Next(1, 16) << 3) | 2);
                byte[] inner = bytes[at..];
                for (int depth = random.Next(8) == 0 ? random.Next(2000) : random.Next(8); depth > 0; depth--)
                {
                    inner = [tag, .. Varint((ulong)inner.Length), .. inner];
                }

                return [.. bytes[..at], .. inner];
        }
    }

    private static (int From, int To) WordAt(byte[] bytes, int at)
    {
        int from = at, to = at;
        while (from > 0 && IsWord(bytes[from - 1]))
        {
            from--;
        }

        while (to < bytes.Length && IsWord(bytes[to]))
        {
            to++;
        }

        return (from, to);
    }

    private static bool IsWord(byte b) => char.IsAsciiLetterOrDigit((char)b) || b is (byte)'.' or (byte)'+' or (byte)'-' or (byte)'_';

    private static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        return [.. bytes, (byte)value];
    }
}
