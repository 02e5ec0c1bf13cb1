using System.Globalization;
using Qaic.Interop;
using static Qaic.HostCheckStatus;

namespace Qaic.Hosts;

/// <summary>From the card to its device node: what has to be well before any library can use it.</summary>
internal sealed class CardChecks(Host host)
{
    private const string Group = "qaic";

    // One for the management channel, and one for each of 16 workloads.
    private const int Interrupts = 17;

    private static readonly Dictionary<string, string> s_cards = new() { ["0xa080"] = "AIC080", ["0xa100"] = "AIC100", ["0xa110"] = "AIC200" };

    // Others than the default make "connection timed out" come sooner or later.
    private static readonly string[] s_parameters =
        ["wait_exec_default_timeout_ms", "control_resp_timeout_s", "mhi_timeout_ms", "datapath_polling", "wait_exec_default_timeout", "control_resp_timeout", "mhi_timeout"];

    /// <summary>The cards' devices as the kernel sees them.</summary>
    public IReadOnlyList<SysfsDevice> Seen { get; } = new Sysfs(host.Root, host.MayOpen).Devices();

    /// <summary>All of them, in the order of dependence.</summary>
    public IEnumerable<HostCheck> All() => [Cards(), .. Link(), Module(), Nodes(), Membership()];

    private HostCheck Cards()
    {
        const string Name = "PCI devices";
        if (!Directory.Exists(host.InRoot("sys/bus/pci/devices")))
        {
            return new(Name, NotApplicable, "This system does not show its PCI bus (no sysfs).");
        }

        if (Seen.Count == 0)
        {
            const string Nothing = "No Cloud AI 100 on the bus (vendor 17cb, devices a080, a100, a110).";
            return host.HasSdk
                ? new(Name, Warning, Nothing + " The SDK is installed, though.", "If there ought to be a card: lspci -d 17cb:, its seat and power, \"above 4G decoding\" in the BIOS; in a virtual machine, pass it through.")
                : new(Name, NotApplicable, Nothing);
        }

        string found = string.Join("; ", Seen.Select(device => $"{device.Address} {Kind(device)}, {(Driver(device) is { } driver ? $"driver {driver}" : "no driver")}"));
        SysfsDevice[] idle = [.. Seen.Where(d => !d.HasDriver)];
        return idle.Length == 0 ? new(Name, Ok, found)
            : idle.FirstOrDefault(d => Driver(d) == "vfio-pci") is { } given
                ? new(Name, Problem, found, $"vfio-pci holds {given.Address} for a virtual machine. Use it there; or unbind it (echo {given.Address} > /sys/bus/pci/drivers/vfio-pci/unbind) and load the qaic driver.")
                : new(Name, Problem, found, "Load the driver (sudo modprobe qaic) and look at the kernel's log (dmesg | grep -i -e qaic -e mhi).");
    }

    private IEnumerable<HostCheck> Link()
    {
        var slow = new List<string>();
        var few = new List<string>();
        foreach (SysfsDevice device in Seen.Where(d => d.HasDriver))
        {
            string directory = $"sys/bus/pci/devices/{device.Address}";
            (string? speed, string? width) = (host.Text($"{directory}/current_link_speed"), host.Text($"{directory}/current_link_width"));
            (string? fastest, string? widest) = (host.Text($"{directory}/max_link_speed"), host.Text($"{directory}/max_link_width"));
            if (speed is not null && width is not null && fastest is not null && widest is not null && (speed, width) != (fastest, widest))
            {
                slow.Add($"{device.Address} runs at {speed} ×{width} of {fastest} ×{widest}");
            }

            if (host.Names($"{directory}/msi_irqs").Count is > 0 and < Interrupts and var count)
            {
                few.Add(string.Create(CultureInfo.InvariantCulture, $"{device.Address} has {count} of {Interrupts}"));
            }
        }

        if (slow.Count > 0)
        {
            yield return new("PCI link", Warning, string.Join("; ", slow) + ".", "Transfers from and to the host are slower. Use a slot that is wide enough (lspci -vv shows LnkCap and LnkSta), and look for a riser or BIOS setting that limits it.");
        }

        if (few.Count > 0)
        {
            yield return new("interrupts", Warning, string.Join("; ", few) + " interrupt vectors (MSI).", "The driver shares them, which costs latency. Turn interrupt remapping (IOMMU, VT-d or AMD-Vi) on in BIOS and kernel; in a virtual machine, on the host.");
        }
    }

    private HostCheck Module()
    {
        const string Name = "kernel module";
        if (!Directory.Exists(host.InRoot("sys/module/qaic")))
        {
            return Seen.Count == 0
                ? new(Name, NotApplicable, "qaic is not loaded; without a card it need not be.")
                : new(Name, Problem, "qaic is not loaded.", "sudo modprobe qaic. The kernel has it from 6.4 on (CONFIG_DRM_ACCEL_QAIC), before that the Platform SDK's driver package has it; after an update of the kernel that has to be built anew.");
        }

        string? version = host.Text("sys/module/qaic/version");
        string[] parameters = [.. s_parameters.Select(p => (Name: p, Value: host.Text($"sys/module/qaic/parameters/{p}"))).Where(p => p.Value is not null).Select(p => $"{p.Name}={p.Value}")];
        return new(Name, Ok, $"qaic {version ?? "(part of the kernel)"} is loaded{(parameters.Length > 0 ? $"; {string.Join(", ", parameters)}" : "")}.");
    }

    private HostCheck Nodes()
    {
        const string Name = "device nodes";
        string[] nodes = NodesFound();
        string[] problems = [.. Seen.Where(d => d.HasDriver && d.Problem is not null).Select(d => d.Problem!)];
        if (problems.Length > 0)
        {
            return new(Name, Problem, nodes.Length == 0 ? "None." : string.Join(", ", nodes), string.Join(" ", problems.Distinct()));
        }

        if (nodes.Length == 0)
        {
            return Seen.Any(d => d.HasDriver)
                ? new(Name, Problem, "The driver holds the card, and there is neither /dev/accel/accel* nor /dev/qaic_aic100_*.", $"{(host.IsContainer ? "Pass the nodes into the container (--device /dev/accel)." : "Look at the kernel's log: the card may still be starting, or its firmware may be missing (Platform SDK).")}")
                : new(Name, NotApplicable, "None, as no driver holds a card.");
        }

        // Nodes of old drivers are not known to sysfs by name.
        string[] closed = [.. nodes.Where(node => !MayOpen(node))];
        return closed.Length == 0
            ? new(Name, Ok, $"{string.Join(", ", nodes)}: this user may read and write.")
            : new(Name, Problem, $"This user may not read and write {string.Join(", ", closed)}.", $"See 'group {Group}'.");
    }

    private HostCheck Membership()
    {
        const string Name = $"group {Group}";
        string[] nodes = NodesFound();
        string? status = host.Text("proc/self/status");
        bool isRoot = Ids(status, "Uid:").Skip(1).FirstOrDefault() == "0";
        (string Id, string[] Members)? group = FindGroup();
        if (nodes.Length == 0)
        {
            return new(Name, NotApplicable, group is null ? "There is none, and no device node that it could own." : "There is no device node that it could own.");
        }

        if (isRoot)
        {
            return new(Name, Ok, "This is root, who needs no group.");
        }

        bool mayOpen = nodes.All(MayOpen);
        if (group is not { } qaic)
        {
            return mayOpen ? new(Name, NotApplicable, "There is none, and the nodes can be opened without.") : new(Name, Problem, "There is no such group.", host.IsContainer
                ? "Give the container the host's: docker run --group-add $(getent group qaic | cut -d: -f3), with the number as it is on the host."
                : "Install the Platform SDK, which makes the group and the udev rule; or give the nodes to a group of your own by a udev rule for SUBSYSTEM==\"accel\".");
        }

        if (Ids(status, "Groups:").Concat(Ids(status, "Gid:")).Contains(qaic.Id))
        {
            return new(Name, Ok, $"This process belongs to it (number {qaic.Id}).");
        }

        string user = host.Variable("USER") is { Length: > 0 } name ? name : Environment.UserName;
        return mayOpen ? new(Name, NotApplicable, "This process does not belong to it, and the nodes can be opened without.")
            : qaic.Members.Contains(user)
                ? new(Name, Problem, $"User {user} is a member, but this process began before that.", "Sign in again, or begin a shell with: newgrp qaic")
                : new(Name, Problem, $"User {user} is not a member.", host.IsContainer
                    ? $"Give the container the host's group: docker run --group-add {qaic.Id}, if the host has the same number."
                    : $"sudo usermod -aG {Group} {user}, then sign in again. Members can do much to the machine through the card.");
    }

    private string[] NodesFound() =>
    [
        .. host.Names("dev/accel").Where(n => n.StartsWith("accel", StringComparison.Ordinal) && IsOurs(n)).Select(n => host.InRoot($"dev/accel/{n}")),
        .. host.Names("dev").Where(n => n.StartsWith("qaic_aic100_", StringComparison.Ordinal)).Select(n => host.InRoot($"dev/{n}")),
    ];

    // Other makers have accelerators, too. Where nobody tells whose a node is, it is taken for a card's if there is a card that has none.
    private bool IsOurs(string name) => host.Text($"sys/class/accel/{name}/device/vendor") is { } vendor
        ? vendor == Sysfs.Vendor
        : Seen.Any(d => d.Node == host.InRoot($"dev/accel/{name}")) || (Seen.Count > 0 && Seen.All(d => d.Node is null));

    private bool MayOpen(string node) => host.MayOpen?.Invoke(node) ?? Sysfs.MayReadAndWrite(node);

    // qaic:x:1001:anna,ben
    private (string Id, string[] Members)? FindGroup()
    {
        foreach (string line in (host.Text("etc/group") ?? "").Split('\n'))
        {
            if (line.Split(':') is [Group, _, var id, var members, ..])
            {
                return (id, members.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
            }
        }

        return null;
    }

    // Groups:	4 27 1001
    private static string[] Ids(string? status, string key) =>
        status?.Split('\n').FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal))?[key.Length..].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) ?? [];

    private string? Driver(SysfsDevice device) => device.HasDriver ? "qaic" : host.Target($"sys/bus/pci/devices/{device.Address}/driver");

    private string Kind(SysfsDevice device) => host.Text($"sys/bus/pci/devices/{device.Address}/device") is { } id && s_cards.TryGetValue(id, out string? kind) ? kind : "card";
}
