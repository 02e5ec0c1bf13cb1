namespace Qaic.Interop;

/// <summary>Puts together what the library, the kernel and <c>qaic-util</c> say of the same devices.</summary>
internal static class DeviceList
{
    /// <summary>All cards' devices, also where the library cannot be used.</summary>
    /// <param name="native">Loads the library.</param>
    /// <param name="sysfs">The kernel's view.</param>
    /// <param name="util">The vendor's tool.</param>
    /// <param name="failure">Why the library could not be asked; null if it could.</param>
    public static IReadOnlyList<QaicDevice> Cards(Func<Platform> native, Sysfs sysfs, QaicUtil util, out QaicException? failure)
    {
        failure = null;
        IReadOnlyList<QaicDevice> known = [];
        try
        {
            known = native().GetDevices();
        }
        catch (QaicException e)
        {
            failure = e;
        }

        return Merge(known, sysfs.Devices(), util, failure?.Message);
    }

    /// <summary>Completes the library's list; where that is empty, makes one of the other sources.</summary>
    /// <param name="known">The library's devices, in the order of their ids.</param>
    /// <param name="seen">The kernel's devices, in the order of their addresses.</param>
    /// <param name="util">Asked if anybody knows a device: it takes a while.</param>
    /// <param name="failure">Why the library knows none; null if it simply does not.</param>
    public static IReadOnlyList<QaicDevice> Merge(IReadOnlyList<QaicDevice> known, IReadOnlyList<SysfsDevice> seen, QaicUtil util, string? failure = null)
    {
        // What a simulated card is, it knows itself; the machine's cards are others.
        if ((known.Count == 0 && seen.Count == 0) || known.Any(device => device.IsSimulated))
        {
            return known;
        }

        IReadOnlyList<QaicUtilDevice> told = util.Devices();
        bool isUnlisted = known.Count == 0;
        if (isUnlisted)
        {
            IEnumerable<int> ids = told.Count > 0 ? told.Select(t => t.Qid) : Enumerable.Range(0, seen.Count);
            known = [.. ids.Select(id => new QaicDevice(id, DeviceState.Unknown))];
        }

        bool samePositions = seen.Count == known.Count && known.Select((d, i) => d.Id == i).All(same => same);
        return [.. known.Select(device =>
        {
            QaicUtilDevice? tool = told.FirstOrDefault(t => t.Qid == device.Id);
            SysfsDevice? kernel = seen.FirstOrDefault(s => s.Address == tool?.PciAddress) ?? seen.FirstOrDefault(s => s.Address == device.ClaimedAddress) ?? (samePositions ? seen[device.Id] : null);
            return Complete(device, kernel, tool, isUnlisted ? failure ?? "The library does not list it." : null);
        })];
    }

    private static QaicDevice Complete(QaicDevice device, SysfsDevice? kernel, QaicUtilDevice? tool, string? unlisted)
    {
        DeviceState state = device.State != DeviceState.Unknown || tool is null ? device.State : tool.State;

        // What is in the way of every process, or of this one, explains what the library says; a device that works has no problem, whatever looks odd.
        string? problem = state == DeviceState.Ready && unlisted is null ? device.Problem : kernel?.Problem ?? device.Problem ?? unlisted ?? ProblemOf(state);

        // Nobody can run on what the library does not list.
        state = unlisted is null || state == DeviceState.Initializing ? state : DeviceState.Error;
        return device with
        {
            State = state,
            Problem = problem,
            Sku = tool?.Sku ?? device.Sku,
            Cores = device.Cores ?? tool?.Cores,
            FreeCores = device.Cores is null ? tool?.FreeCores : device.FreeCores,
            MemoryBytes = device.MemoryBytes ?? tool?.MemoryBytes,
            FreeMemoryBytes = device.MemoryBytes is null ? tool?.FreeMemoryBytes : device.FreeMemoryBytes,
            Serial = tool?.Serial,
            Firmware = tool?.Firmware,
            Temperature = kernel?.Temperature ?? tool?.Temperature,
            Power = kernel?.Power ?? tool?.Power,
            PowerLimit = kernel?.PowerLimit ?? tool?.PowerLimit,
            PciAddress = kernel?.Address ?? tool?.PciAddress,
            DeviceNode = kernel?.Node,
        };
    }

    /// <summary>What to do about a state; null if nothing.</summary>
    public static string? ProblemOf(DeviceState state) => state switch
    {
        DeviceState.Error => "The device is in error state; look at the kernel's log and reset it.",
        DeviceState.Initializing => "The device is still starting; try again in a minute.",
        DeviceState.Busy => "The device is held by another process; try again when that has ended.",
        _ => null,
    };
}
