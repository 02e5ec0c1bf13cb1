using System.Runtime.InteropServices;
using Qaic.Hosts;
using Qaic.Tests.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests.Hosts;

/// <summary>A machine as a tree of files, to be looked at by a diagnosis. At first: no card, no SDK, and a simulated card.</summary>
internal sealed class FakeHost : IDisposable
{
    public const string Address = "0000:41:00.0";

    private readonly FakeSysfs _kernel = new();
    private readonly Dictionary<string, string> _variables = new() { ["USER"] = "anna", ["PATH"] = "" };

    public FakeHost()
    {
        Directory.CreateDirectory(In("sys/bus/pci/devices"));
        Set("QAIC_CACHE_DIR", In("cache"));
        Write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Test CPU\nflags\t\t: fpu avx2 avx512f avx512_vnni\n");
        Write("proc/self/status", "Name:\tx\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nGroups:\t27 1000\n");
    }

    public bool MayOpen { get; set; } = true;

    public Func<Platform> Simulated { get; set; } = static () => Platform.Simulated(new() { Engine = new DoublingEngine() });

    public Architecture Architecture { get; set; } = Architecture.X64;

    public long FreeSpace { get; set; } = 64L << 30;

    public string Root => _kernel.Root;

    public string In(string path) => Path.Combine(Root, path);

    public void Set(string variable, string value) => _variables[variable] = value;

    public void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(path))!);
        File.WriteAllText(In(path), text);
    }

    /// <summary>A card whose driver is loaded and whose node is there.</summary>
    public void AddCard(bool driver = true, bool node = true, string address = Address, string accel = "accel0")
    {
        _kernel.Add(address, driver: driver, accel: driver ? accel : null, node: node);
        if (driver)
        {
            Write("sys/module/qaic/version", "1.20.2\n");
            Write("sys/module/qaic/parameters/mhi_timeout_ms", "2000\n");
        }
    }

    public void AddSdk(string apps = "1.20", string platform = "1.20")
    {
        Write("opt/qti-aic/versions/apps.xml", Version(apps));
        Write("opt/qti-aic/versions/platform.xml", Version(platform));

        static string Version(string version) => $"<versions>\n  <ci_build>\n    <base_name>AIC</base_name>\n    <base_version>{version}</base_version>\n    <build_id>9</build_id>\n  </ci_build>\n</versions>";
    }

    /// <summary>A program with this text as its script.</summary>
    public void AddProgram(string path, string script, bool executable = true)
    {
        Write(path, "#!/bin/sh\n" + script);
        if (executable && !OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(In(path), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    public HostDiagnosis Diagnose() => new(new Host
    {
        Root = Root,
        Variable = name => _variables.GetValueOrDefault(name),
        MayOpen = _ => MayOpen,
        Simulated = Simulated,
        Architecture = Architecture,
        FreeSpace = _ => FreeSpace,
    });

    /// <summary>One check.</summary>
    public HostCheck Check(string name)
    {
        HostDiagnosis diagnosis = Diagnose();
        return diagnosis.Checks.SingleOrDefault(c => c.Name == name) ?? throw new AssertFailedException($"No check '{name}' among {string.Join(", ", diagnosis.Checks.Select(c => c.Name))}.");
    }

    public void Dispose() => _kernel.Dispose();
}
