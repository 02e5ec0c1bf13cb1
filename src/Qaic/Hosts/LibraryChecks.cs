using System.Runtime.InteropServices;
using System.Xml;
using System.Xml.Linq;
using Qaic.Interop;
using static Qaic.HostCheckStatus;

namespace Qaic.Hosts;

/// <summary>The vendor's library, the SDK that it is of, and the devices that it knows.</summary>
internal sealed class LibraryChecks
{
    // What a session can do without, and what is lost then.
    private static readonly (string Function, string Loss)[] s_optional =
    [
        ("qaicExecObjSetDataExt", "networks for several shapes"),
        ("qaicGetDeviceInfo", "states of devices"),
        ("qaicGetResourceInfo", "free cores and memory"),
        ("qaicGetAicVersion", "the library's version"),
        ("qaicSetLogLevel", "the library's log levels"),
    ];

    private readonly Host _host;
    private readonly IReadOnlyList<SysfsDevice> _seen;
    private readonly List<HostCheck> _checks = [];
    private readonly string? _util;

    public LibraryChecks(Host host, IReadOnlyList<SysfsDevice> seen)
    {
        _host = host;
        _seen = seen;
        _util = QaicUtil.Search(Path.Combine(host.Sdk, "tools"), host.Variable("PATH"));
        Versions();
        Platform? platform = Library();
        Util();
        Devices = List(platform);
    }

    /// <summary>The cards' devices, also those that the library does not know.</summary>
    public IReadOnlyList<QaicDevice> Devices { get; }

    /// <summary>The library's file, if what was loaded is the simulated card as a library; else null.</summary>
    public string? SimulatedLibrary { get; private set; }

    public IReadOnlyList<HostCheck> All() => _checks;

    private void Versions()
    {
        const string Name = "SDK";
        (string Name, string? Version)[] packages = [("apps", Version("apps")), ("platform", Version("platform"))];
        if (!_host.HasSdk)
        {
            _checks.Add(_seen.Count == 0
                ? new(Name, NotApplicable, $"There is no {_host.Sdk}; the simulated card needs none.")
                : new(Name, Problem, $"There is no {_host.Sdk}.", "Install the Cloud AI Platform SDK (driver, firmware, library) and the Apps SDK (compiler)."));
            return;
        }

        string found = string.Join(", ", packages.Select(p => $"{p.Name} {p.Version ?? "not installed"}"));
        string?[] installed = [.. packages.Select(p => p.Version).Where(v => v is not null).Distinct()];
        _checks.Add(installed.Length > 1 && Release(installed[0]!) != Release(installed[1]!)
            ? new(Name, Warning, $"{found}: of different releases.", "Install Apps and Platform SDK of the same release; a QPC of a newer compiler may not load on older firmware.")
            : installed.Length == 0 ? new(Name, Warning, $"{_host.Sdk} is there, but tells no version (versions/apps.xml, versions/platform.xml).", "It may have been copied instead of installed; install the packages.")
            : new(Name, Ok, found));

        static string Release(string version) => string.Join('.', version.Split('.').Take(2));
    }

    // <versions><ci_build><base_name>AIC</base_name><base_version>1.5</base_version><build_id>9</build_id></ci_build></versions>
    private string? Version(string package)
    {
        if (_host.Text($"{LibraryCandidate.Sdk[1..]}/versions/{package}.xml") is not { } text)
        {
            return null;
        }

        try
        {
            using var reader = XmlReader.Create(new StringReader(text), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit });
            XElement[] elements = [.. XDocument.Load(reader).Descendants()];
            string?[] parts = [Value("base_version"), Value("build_id")];
            return parts[0] is null ? "of unknown version" : string.Join('.', parts.Where(p => !string.IsNullOrEmpty(p)));

            string? Value(string name) => elements.FirstOrDefault(e => e.Name.LocalName == name)?.Value.Trim();
        }
        catch (XmlException)
        {
            return "of unknown version";
        }
    }

    private NativePlatform? Library()
    {
        const string Name = "library";
        string? chosen = _host.Variable(LibraryCandidate.EnvironmentVariable);
        var tried = new List<string>();
        bool isThere = !string.IsNullOrEmpty(chosen);

        // The loader searches this machine, whatever tree is looked at.
        foreach (LibraryCandidate candidate in LibraryCandidate.For(null, chosen, _host.Architecture, _host.Sdk).Where(c => _host.Root == "/" || c.Path.Contains('/', StringComparison.Ordinal)))
        {
            if (!candidate.TryLoad(out nint handle, out string? reason))
            {
                isThere |= File.Exists(candidate.Path);
                tried.Add($"{candidate}: {reason}");
                continue;
            }

            try
            {
                var library = QaicLibrary.Load([candidate]);
                string version = library.Version is null ? "of unknown version" : $"version {library.Version}, patch '{library.Patch}', variant '{library.Variant}'";
                SimulatedLibrary = library.IsSimulated ? library.Path : null;
                _checks.Add(new(Name, Ok, $"{library.Path} ({candidate.Origin}), {version}{(library.IsSimulated ? ": the simulated card, not the vendor's library" : "")}."));
                Functions(handle, library);
                return NativePlatform.Of(library);
            }
            catch (QaicException e)
            {
                _checks.Add(new(Name, Problem, e.Message, $"Reinstall the SDK, or point {LibraryCandidate.EnvironmentVariable} at the library of another one{(string.IsNullOrEmpty(chosen) ? "" : ", or unset it")}."));
                return null;
            }
        }

        string found = tried.Count == 0 ? $"There is no {LibraryCandidate.FileName} for {_host.Architecture}." : $"Not loaded. Tried {string.Join("; ", tried)}.";
        _checks.Add(!isThere && _seen.Count == 0 && !_host.HasSdk ? new(Name, NotApplicable, found)
            : !string.IsNullOrEmpty(chosen) ? new(Name, Problem, found, $"{LibraryCandidate.EnvironmentVariable} is set, so nothing else is tried: correct it, or unset it.")
            : isThere ? new(Name, Problem, found, "It is there and cannot be loaded: look for libraries it needs (ldd), and whether it is for this processor.")
            : new(Name, Problem, found, $"Install the Cloud AI Platform SDK, or set {LibraryCandidate.EnvironmentVariable} to the library's path; in a container, mount {LibraryCandidate.Sdk}."));
        return null;
    }

    private void Functions(nint handle, QaicLibrary library)
    {
        string generation = library.TakesLogUser ? "qaicCreateContext takes eight arguments (SDK 1.8 and later)" : "of a generation before SDK 1.11; whether qaicCreateContext takes seven or eight arguments is not known, so the library's log is not read";
        string[] losses = [.. s_optional.Where(o => !NativeLibrary.TryGetExport(handle, o.Function, out _)).Select(o => $"{o.Function} ({o.Loss})")];
        _checks.Add(losses.Length == 0
            ? new("library functions", Ok, $"All that are used; {generation}.")
            : new("library functions", Warning, $"Without {string.Join(", ", losses)}; {generation}.", "Networks run, what is in brackets is missing. A newer SDK has them."));
    }

    private void Util() => _checks.Add(_util is not null ? new("qaic-util", Ok, _util)
        : _seen.Count == 0 ? new("qaic-util", NotApplicable, "Not installed; without a card it has nothing to tell.")
        : new("qaic-util", Warning, "Not installed.", "Serial numbers and firmware versions are known to it alone; it is in the Platform SDK (tools)."));

    private IReadOnlyList<QaicDevice> List(Platform? platform)
    {
        const string Name = "devices";
        var util = new QaicUtil(_util, QaicUtil.Limit);
        IReadOnlyList<QaicDevice> known = [];
        string? failure = platform is null ? "The library is not loaded." : null;
        try
        {
            known = platform?.GetDevices() ?? [];
        }
        catch (QaicException e)
        {
            failure = e.Message;
        }

        IReadOnlyList<QaicDevice> devices = DeviceList.Merge(known, _seen, util, failure);
        string found = string.Join("; ", devices.Select(d => (d with { Problem = null }).ToString()));
        if (devices.Count == 0)
        {
            _checks.Add(platform is null
                ? new(Name, NotApplicable, "None.")
                : new(Name, Warning, failure ?? "The library knows none.", "Without a card nothing is wrong; set Backend to Simulated and no warning will be given. With one, see the lines above."));
        }
        else if (devices.Where(d => !d.MayRun).ToArray() is { Length: > 0 } idle)
        {
            bool isAny = devices.Any(d => d.MayRun);
            _checks.Add(new(Name, isAny ? Warning : Problem, found + ".", string.Join(" ", idle.Select(d => d.Problem ?? "Nobody tells its state; see the lines above.").Distinct())));
        }
        else if (devices.All(d => d.FreeCores == 0))
        {
            _checks.Add(new(Name, Warning, found + ".", "Every core is taken by other processes or sessions: end them, or compile for fewer cores."));
        }
        else
        {
            _checks.Add(new(Name, Ok, found + "."));
        }

        return devices;
    }
}
