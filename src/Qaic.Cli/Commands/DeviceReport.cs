using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Qaic.Cli.Commands;

/// <summary>Devices, for people and for machines.</summary>
internal static class DeviceReport
{
    private const double GiB = 1L << 30;

    /// <summary>A table with the columns that somebody knows something about.</summary>
    public static Table ToTable(IReadOnlyList<QaicDevice> devices)
    {
        (string Name, Func<QaicDevice, string?> Text, bool IsNumber)[] all =
        [
            ("QID", d => d.Id.ToString(CultureInfo.InvariantCulture), true),
            ("state", d => d.State.ToString(), false),
            ("type", d => d.Sku, false),
            ("cores free", d => Of(d.FreeCores, d.Cores, n => n.ToString(CultureInfo.InvariantCulture)), true),
            ("memory free, GiB", d => Of(d.FreeMemoryBytes, d.MemoryBytes, n => (n / GiB).ToString("0.0", CultureInfo.InvariantCulture)), true),
            ("serial", d => d.Serial, false),
            ("firmware", d => d.Firmware, false),
            ("°C", d => d.Temperature?.ToString("0", CultureInfo.InvariantCulture), true),
            ("power, W", d => d.Power is null ? null : Of(d.Power, d.PowerLimit, n => n.ToString("0.#", CultureInfo.InvariantCulture)), true),
            ("PCI", d => d.PciAddress, false),
            ("node", d => d.DeviceNode, false),
            ("problem", d => d.Problem, false),
        ];
        (string Name, Func<QaicDevice, string?> Text, bool IsNumber)[] known = [.. all.Where(column => devices.Any(d => column.Text(d) is not null))];
        var table = new Table { Border = TableBorder.Simple };
        foreach ((string name, _, bool isNumber) in known)
        {
            table.AddColumn(name, column => column.Alignment = isNumber ? Justify.Right : Justify.Left);
        }

        foreach (QaicDevice device in devices)
        {
            table.AddRow([.. known.Select(column => Colored(column.Name, device, Markup.Escape(column.Text(device) ?? "")))]);
        }

        return table;
    }

    /// <summary>All that is known of one; what is not is null.</summary>
    public static JsonNode ToJson(QaicDevice device) => new JsonObject
    {
        ["id"] = device.Id,
        ["state"] = device.State.ToString(),
        ["problem"] = device.Problem,
        ["type"] = device.Sku,
        ["simulated"] = device.IsSimulated,
        ["cores"] = device.Cores,
        ["freeCores"] = device.FreeCores,
        ["memoryBytes"] = device.MemoryBytes,
        ["freeMemoryBytes"] = device.FreeMemoryBytes,
        ["serial"] = device.Serial,
        ["firmware"] = device.Firmware,
        ["temperature"] = device.Temperature,
        ["power"] = device.Power,
        ["powerLimit"] = device.PowerLimit,
        ["pciAddress"] = device.PciAddress,
        ["node"] = device.DeviceNode,
    };

    // "14 of 16", or what there is of it.
    private static string? Of<T>(T? free, T? all, Func<T, string> text) where T : struct =>
        free is null ? (all is null ? null : $"of {text(all.Value)}") : all is null ? text(free.Value) : $"{text(free.Value)} of {text(all.Value)}";

    private static string Colored(string column, QaicDevice device, string text) => (column, device.State) switch
    {
        ("state", DeviceState.Ready) => $"[green]{text}[/]",
        ("state", DeviceState.Error) or ("problem", _) => $"[red]{text}[/]",
        ("state", _) => $"[yellow]{text}[/]",
        _ => text,
    };
}
