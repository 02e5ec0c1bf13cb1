using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using Qaic.Interop;

namespace Qaic.Tests.Support;

/// <summary>A libQAic.so made from Native/fake_qaic.c, in the generation and with the gaps that the switches ask for. Its network is y = -x on four floats.</summary>
/// <remarks>Each set of switches is compiled once per process and stays loaded, so its state (what it holds, what fails next) is shared by its users.</remarks>
internal sealed unsafe class NativeFake
{
    private static readonly ConcurrentDictionary<string, Lazy<NativeFake>> s_bySwitches = new();
    private static readonly Lazy<DirectoryInfo> s_directory = new(CreateDirectory);

    private readonly Lazy<nint> _library;

    private NativeFake(string path)
    {
        Path = path;
        _library = new(() => NativeLibrary.Load(path));
    }

    /// <summary>The library's file.</summary>
    public string Path { get; }

    /// <summary>The platform on this library.</summary>
    public Platform Platform => Platform.Native(Path);

    /// <summary>Objects that the library created and nobody released.</summary>
    public uint LiveObjects => ((delegate* unmanaged[Cdecl]<uint>)Export("fakeLiveObjects"))();

    /// <summary>How often an execution object was told of its buffers.</summary>
    public uint SetDataCalls => ((delegate* unmanaged[Cdecl]<uint>)Export("fakeSetDataCalls"))();

    /// <summary>Compiles the library, or finds it compiled.</summary>
    /// <param name="switches">See the head of the source: <c>FAKE_WIDE</c>, <c>FAKE_DEVICES=2</c>, …</param>
    public static NativeFake Build(params string[] switches) =>
        s_bySwitches.GetOrAdd(string.Join(' ', switches), _ => new(() => Compile(switches, $"libQAic-{s_bySwitches.Count}.so"))).Value;

    /// <summary>Compiles a library whose embedded name is <paramref name="name"/>.</summary>
    public static NativeFake BuildNamed(string name) => s_bySwitches.GetOrAdd(name, _ => new(() => Compile([], name, $"-Wl,-soname,{name}"))).Value;

    /// <summary>Switch that makes a library without a function.</summary>
    public static string Without(string function) => $"{function}=hidden{function}";

    /// <summary>QPC of the library's network.</summary>
    public static string WriteQpc(string directory, bool hasShapes = false, bool isPartial = false) => new TestQpc
    {
        Edit = network =>
        {
            network.Inputs[0].Name = "x";
            network.Outputs[0].Name = "y";
            network.Inputs[0].IsPartialAllowed = isPartial;
            network.AllowedShapes.AddRange(hasShapes ? Shapes.Select(dims => TestQpc.Allow(dims, dims)) : []);
        },
    }.Write(directory);

    /// <summary>The sets of shapes of a library with <c>FAKE_SHAPES</c>.</summary>
    public static int[][] Shapes { get; } = [[4], [2], [1, 3]];

    /// <summary>Makes the next call of a function fail, and log <paramref name="text"/> as an error if it is not empty. qaicExecObjWaitForCompletion: the next inference.</summary>
    public void Fail(string function, QStatus status, string text = "")
    {
        fixed (byte* name = Utf8(function), words = Utf8(text))
        {
            ((delegate* unmanaged[Cdecl]<byte*, QStatus, byte*, void>)Export("fakeFail"))(name, status, words);
        }
    }

    /// <summary>Stops the device until the result is disposed.</summary>
    public IDisposable Hold()
    {
        SetHold(1);
        return new Released(() => SetHold(0));
    }

    /// <summary>What the last qaicCreateContext was given.</summary>
    public (ulong Devices, nint LogUser, nint ErrorCallback, nint ErrorUser) ContextArguments()
    {
        ulong* arguments = stackalloc ulong[4];
        ((delegate* unmanaged[Cdecl]<ulong*, void>)Export("fakeContextArguments"))(arguments);
        return (arguments[0], (nint)arguments[1], (nint)arguments[2], (nint)arguments[3]);
    }

    /// <summary>Logs to every context, from a thread of the library's own.</summary>
    public void Log(QLogLevel level, string text)
    {
        fixed (byte* words = Utf8(text))
        {
            ((delegate* unmanaged[Cdecl]<QLogLevel, byte*, void>)Export("fakeLog"))(level, words);
        }
    }

    private static NativeFake Compile(string[] switches, string name, params string[] more)
    {
        string path = System.IO.Path.Combine(s_directory.Value.FullName, name);
        CCompiler.Compile("fake_qaic.c", path, ["-shared", "-fPIC", "-pthread", .. more, .. switches.Select(s => "-D" + s)]);
        return new NativeFake(path);
    }

    private static DirectoryInfo CreateDirectory()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-fake-");
        AppDomain.CurrentDomain.ProcessExit += (_, _) => directory.Delete(recursive: true);
        return directory;
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text + '\0');

    private void SetHold(uint hold) => ((delegate* unmanaged[Cdecl]<uint, void>)Export("fakeHold"))(hold);

    private void* Export(string name) => (void*)NativeLibrary.GetExport(_library.Value, name);

    private sealed class Released(Action release) : IDisposable
    {
        public void Dispose() => release();
    }
}
