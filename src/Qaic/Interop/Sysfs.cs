using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Qaic.Interop;

/// <summary>A card's device as the kernel sees it.</summary>
/// <param name="Address">Place on the PCI bus, in lower case: <c>0000:41:00.0</c>.</param>
/// <param name="HasDriver">Whether the qaic driver holds it.</param>
/// <param name="Node">The file that processes open, if there ought to be one.</param>
/// <param name="Problem">Why processes cannot use it, and what to do; null if nothing is in the way.</param>
/// <param name="Temperature">°C of the chip.</param>
/// <param name="Power">Watts of the board.</param>
/// <param name="PowerLimit">Watts it may draw.</param>
internal sealed record SysfsDevice(string Address, bool HasDriver, string? Node, string? Problem, double? Temperature, double? Power, double? PowerLimit);

/// <summary>Reads what the kernel tells of cards: <c>/sys/bus/pci</c>, hwmon, and the nodes in <c>/dev/accel</c>.</summary>
/// <param name="root">Directory that holds <c>sys</c> and <c>dev</c>.</param>
/// <param name="mayOpen">Whether this process may read and write a node; null for the kernel's answer.</param>
internal sealed partial class Sysfs(string root, Func<string, bool>? mayOpen = null)
{
    private const int ReadAndWrite = 4 | 2;

    /// <summary>The vendor's PCI id.</summary>
    public const string Vendor = "0x17cb";

    // AIC080, AIC100 and AIC200.
    private static readonly string[] s_devices = ["0xa080", "0xa100", "0xa110"];

    /// <summary>This machine's.</summary>
    public static Sysfs System { get; } = new("/");

    /// <summary>The cards' devices in the order of their addresses; empty where there are none, or no sysfs.</summary>
    public IReadOnlyList<SysfsDevice> Devices()
    {
        HashSet<string> driven = [.. Names(Path.Combine(root, "sys/bus/pci/drivers/qaic")).Where(name => Address().IsMatch(name))];
        string all = Path.Combine(root, "sys/bus/pci/devices");
        return [.. driven.Concat(Names(all).Where(name => Address().IsMatch(name) && IsCard(Path.Combine(all, name)))).Distinct().Order(StringComparer.Ordinal)
            .Select(address => Describe(address, driven.Contains(address)))];
    }

    private SysfsDevice Describe(string address, bool hasDriver)
    {
        string directory = Path.Combine(root, "sys/bus/pci/devices", address);
        if (!Directory.Exists(directory))
        {
            directory = Path.Combine(root, "sys/bus/pci/drivers/qaic", address);
        }

        // A device that was partitioned has further nodes, with higher numbers.
        string? name = Names(Path.Combine(directory, "accel")).Where(n => Accel().IsMatch(n)).MinBy(n => int.Parse(n.AsSpan("accel".Length), CultureInfo.InvariantCulture));
        string? node = name is null ? null : Path.Combine(root, "dev/accel", name);
        string? problem = !hasDriver ? $"The kernel sees the device at {address}, but no driver holds it; load the driver (modprobe qaic) and look at the kernel's log."
            : node is null ? null
            : !File.Exists(node) ? $"There is no {node}; in a container, pass the device nodes in (--device {Path.Combine(root, "dev/accel")})."
            : !MayOpen(node) ? $"This user may not read and write {node}; add it to the group that owns the node (usually 'qaic') and sign in again, in a container also by --group-add with the host's number of the group."
            : null;
        string? monitor = Names(Path.Combine(directory, "hwmon")).Order(StringComparer.Ordinal).FirstOrDefault() is { } hwmon ? Path.Combine(directory, "hwmon", hwmon) : null;
        return new SysfsDevice(
            address, hasDriver, node, problem, Number(monitor, "temp2_input") / 1e3, Number(monitor, "power1_input") / 1e6, Number(monitor, "power1_max") / 1e6);
    }

    private static bool IsCard(string directory) => Text(Path.Combine(directory, "vendor")) == Vendor && s_devices.Contains(Text(Path.Combine(directory, "device")));

    private bool MayOpen(string node) => mayOpen is not null ? mayOpen(node) : MayReadAndWrite(node);

    /// <summary>Whether this process may read and write a file, or make files in a directory.</summary>
    /// <remarks>Asked, not tried: opening a node makes the driver set a user up.</remarks>
    public static bool MayReadAndWrite(string path) => !OperatingSystem.IsLinux() || Access(path, ReadAndWrite) == 0;

    private static long? Number(string? directory, string file) =>
        directory is not null && long.TryParse(Text(Path.Combine(directory, file)), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value : null;

    private static string? Text(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The sensor does not answer, or the device went away.
            return null;
        }
    }

    private static IEnumerable<string> Names(string directory)
    {
        try
        {
            return [.. new DirectoryInfo(directory).EnumerateFileSystemInfos().Select(info => info.Name)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    [GeneratedRegex(@"^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\z")]
    private static partial Regex Address();

    [GeneratedRegex(@"^accel[0-9]{1,6}\z")]
    private static partial Regex Accel();

    [LibraryImport("libc", EntryPoint = "access", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Access(string path, int mode);
}
