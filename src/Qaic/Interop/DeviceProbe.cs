using System.Globalization;
using System.Runtime.InteropServices;

namespace Qaic.Interop;

/// <summary>Asks the library for its devices. The list function of the library is not public, so QIDs are tried upwards: they are indices without gaps.</summary>
internal static unsafe class DeviceProbe
{
    // From QID 100 on, the vendor numbers shadow devices of partitions.
    private const int MaxDevices = 100;

    // A library that refuses to answer may refuse for devices, too, that are not there. Two cards of four devices each may have failed side by side; more is taken for the end.
    private const int MaxUnreachable = 8;

    // The open runtime's QResourceInfo has 56 bytes; others may write more.
    private const int ResourceInfoCapacity = 1024;

    // The open runtime's numbers, in its tool's words.
    private static readonly string?[] s_skus = [null, "M.2", "PCIe", "PCIe Pro", "PCIe Lite", "PCIe Ultra", "Auto", "PCIe Ultra Plus", "PCIe 080", "PCIe Ultra 080"];

    private const long KiB = 1024;
    private const long MiB = 1024 * KiB;

    /// <summary>Lists the devices from <paramref name="firstQid"/> upwards.</summary>
    /// <exception cref="QaicException"><see cref="QaicError.NotSupported"/>: the library exports no function that tells.</exception>
    public static IReadOnlyList<QaicDevice> List(QaicApi api, int firstQid)
    {
        if (api.GetDeviceInfo is null && api.GetResourceInfo is null)
        {
            throw new QaicException(
                QaicError.NotSupported, "The library exports neither qaicGetDeviceInfo nor qaicGetResourceInfo, so it cannot say which devices there are. List them with qaic-util -q.");
        }

        var devices = new List<QaicDevice>();
        int unreachable = 0;
        for (int id = 0; id < MaxDevices && unreachable < MaxUnreachable && Ask(api, firstQid + id, id) is { } device; id++)
        {
            devices.Add(device);
            unreachable = device.State is DeviceState.Error or DeviceState.Busy ? unreachable + 1 : 0;
        }

        // What the library said about a device that is not there explains no later failure.
        NativeLog.ForgetLastError();
        return devices;
    }

    // Null: there is no such device.
    private static QaicDevice? Ask(QaicApi api, int qid, int id)
    {
        void* block = NativeMemory.AllocZeroed(QDevInfo.Capacity);
        try
        {
            DeviceState state = DeviceState.Unknown;
            string? address = null;
            if (api.GetDeviceInfo is not null)
            {
                // Only the first field has a certain place; whoever uses the address asks the kernel whether there is such a one.
                var info = (QDevInfo*)block;
                QStatus status = api.GetDeviceInfo(qid, info);
                if (status != QStatus.Success)
                {
                    return Unreachable(id, status, "qaicGetDeviceInfo");
                }

                state = info->DevStatus switch
                {
                    QDevStatus.Initializing => DeviceState.Initializing,
                    QDevStatus.Ready => DeviceState.Ready,
                    QDevStatus.Error => DeviceState.Error,
                    _ => DeviceState.Unknown,
                };
                address = (info->PciDomain, info->PciBus, info->PciDevice, info->PciFunction) == default
                    ? null
                    : string.Create(CultureInfo.InvariantCulture, $"{info->PciDomain:x4}:{info->PciBus:x2}:{info->PciDevice:x2}.{info->PciFunction:x}");
            }

            var device = new QaicDevice(id, state)
            {
                Problem = DeviceList.ProblemOf(state),
                ClaimedAddress = address,
            };
            if (api.GetResourceInfo is null)
            {
                return device;
            }

            NativeMemory.Clear(block, ResourceInfoCapacity);
            QStatus asked = api.GetResourceInfo(qid, (QResourceInfo*)block);
            return asked == QStatus.Success ? WithResources(device, *(QResourceInfo*)block)
                : api.GetDeviceInfo is null ? Unreachable(id, asked, "qaicGetResourceInfo")
                : device;
        }
        finally
        {
            NativeMemory.Free(block);
        }
    }

    // These say that something is there; everything else is how a library says that nothing is.
    private static QaicDevice? Unreachable(int id, QStatus status, string function) => status switch
    {
        QStatus.Perm or QStatus.Again or QStatus.Busy or QStatus.TimedOut or QStatus.DevError =>
            new QaicDevice(id, status is QStatus.Busy or QStatus.Again ? DeviceState.Busy : DeviceState.Error)
            {
                Problem = $"{function} returned {(int)status} ({status}). {QStatusExtensions.Remedy(QStatusExtensions.Classify(status, null))}",
            },
        _ => null,
    };

    /// <summary>Adds what the figures say, where they are plausible: the layout is the open runtime's, the unit of memory changed between SDKs.</summary>
    internal static QaicDevice WithResources(QaicDevice device, in QResourceInfo resources)
    {
        if (resources.NspTotal is 0 or > 64 || resources.NspFree > resources.NspTotal)
        {
            return device;
        }

        device = device with
        {
            Cores = resources.NspTotal,
            FreeCores = resources.NspFree,
            Sku = resources.SkuType < s_skus.Length ? s_skus[resources.SkuType] : null,
        };

        // A card has 1 GiB to 1 TiB; the two ranges of figures meet in one point only.
        long unit = resources.DramTotal switch
        {
            >= 1 << 20 and <= 1 << 30 => KiB,
            >= 1 << 10 and < 1 << 20 => MiB,
            _ => 0,
        };
        return unit == 0 || resources.DramFree > resources.DramTotal
            ? device
            : device with { MemoryBytes = (long)resources.DramTotal * unit, FreeMemoryBytes = (long)resources.DramFree * unit };
    }
}
