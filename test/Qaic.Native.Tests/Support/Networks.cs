using System.Collections.Immutable;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.TestSupport;

namespace Qaic.Native.Tests.Support;

/// <summary>QPCs of the embedded compiler, made once per run, and the simulated platform in this process that they are compared with.</summary>
internal static class Networks
{
    private static readonly Lazy<string> s_negation = new(() => Negate(cores: 1));
    private static readonly Lazy<string> s_negationOnAllCores = new(() => Negate(cores: 16));
    private static readonly Lazy<string> s_digits = new(() => Compile(Repository.Model("digits_cnn"), QaicOptions.Default));
    private static readonly Lazy<string> s_shapes = new(() => Compile(
        Save(Graphs.Unary("Exp", Graphs.Value("x", Graphs.Float, "rows", "columns"), Graphs.Value("y", Graphs.Float, "rows", "columns"))),
        new() { Specializations = [Sizes(1, 4), Sizes(2, 8), Sizes(3, 2)] }));

    private static readonly Lazy<string> s_flags = new(() => Compile(
        Save(Graphs.Unary("Not", Graphs.Value("x", Graphs.Bool, "rows", "columns"), Graphs.Value("y", Graphs.Bool, "rows", "columns"))),
        new() { Specializations = [Sizes(1, 4), Sizes(2, 8)] }));

    /// <summary>The simulated machine inside this process, without any library.</summary>
    public static Platform Simulated { get; } = Platform.Simulated();

    /// <summary>y = -x, four floats, one core.</summary>
    public static string Negation => s_negation.Value;

    /// <summary>The same on all 16 cores of a device.</summary>
    public static string NegationOnAllCores => s_negationOnAllCores.Value;

    /// <summary>The trained digit classifier.</summary>
    public static string Digits => s_digits.Value;

    /// <summary>y = exp(x) for [1, 4], [2, 8] and [3, 2].</summary>
    public static string Shapes => s_shapes.Value;

    /// <summary>y = not x for [1, 4] and [2, 8], which travel as bytes.</summary>
    public static string Flags => s_flags.Value;

    /// <summary>A new file's name in the run's directory.</summary>
    public static string NewFile(string extension = "raw") => Path.Combine(Scratch.Directory, $"{Guid.NewGuid():n}.{extension}");

    public static string Compile(string model, QaicOptions options) =>
        Simulated.Compiler.Compile(model, Path.Combine(Scratch.Directory, Guid.NewGuid().ToString("n")), options, NullLogger.Instance, CancellationToken.None);

    /// <summary>Bytes of one inference by a session in this process.</summary>
    public static byte[] Run(string qpc, byte[] input, Platform platform)
    {
        using var session = new Session(qpc, platform: platform);
        using Inference inference = session.Rent();
        input.CopyTo(inference.InputBytes(0));
        inference.Submit();
        inference.Wait();
        return inference.OutputBytes(0).ToArray();
    }

    /// <summary>A batch of pixels, the same in every run.</summary>
    public static byte[] Pixels()
    {
        byte[] bytes = new byte[32 * 64 * 4];
        for (int i = 0; i < bytes.Length / 4; i++)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(4 * i), i * 7919 % 17 / 16f);
        }

        return bytes;
    }

    private static string Negate(int cores) =>
        Compile(Save(Graphs.Unary("Neg", Graphs.Value("x", Graphs.Float, 4), Graphs.Value("y", Graphs.Float, 4))), new() { NumCores = cores });

    private static string Save(ModelProto model)
    {
        string path = NewFile("onnx");
        File.WriteAllBytes(path, model.ToByteArray());
        return path;
    }

    private static ImmutableDictionary<string, int> Sizes(int rows, int columns) => ImmutableDictionary<string, int>.Empty.Add("rows", rows).Add("columns", columns);
}
