using Qaic.Interop;

namespace Qaic;

/// <summary>State of a device.</summary>
public enum DeviceState
{
    /// <summary>Nobody tells.</summary>
    Unknown,

    /// <summary>The device is starting; it will be ready, or fail, by itself.</summary>
    Initializing,

    /// <summary>The device runs networks.</summary>
    Ready,

    /// <summary>The device works and is held by somebody; it is worth another try.</summary>
    Busy,

    /// <summary>The device failed or cannot be asked; see <see cref="QaicDevice.Problem"/>.</summary>
    Error,
}

/// <summary>A device, as it was when it was asked. A card of type Ultra has four.</summary>
/// <remarks>
/// <para>What comes from where, the most certain first. A source that is missing or makes no sense leaves its fields null; none of them is an error.</para>
/// <list type="table">
/// <item><term>The library</term><description><see cref="Id"/>, <see cref="State"/>: certain. <see cref="Cores"/>, <see cref="FreeCores"/>, <see cref="MemoryBytes"/>, <see cref="FreeMemoryBytes"/>:
/// in the open runtime's layout, which differs between SDKs, and believed where plausible; else from <c>qaic-util</c>.</description></item>
/// <item><term>The kernel (sysfs)</term><description><see cref="DeviceNode"/>, <see cref="Temperature"/>, <see cref="Power"/>, <see cref="PowerLimit"/>: certain for a device whose <see cref="PciAddress"/> is known.
/// That address is what <c>qaic-util</c> says, else what the library says if the kernel knows it, else by position: ids count the addresses in their order if there are as many of both.</description></item>
/// <item><term><c>qaic-util -q</c></term><description><see cref="Sku"/>, <see cref="Serial"/>, <see cref="Firmware"/>: as the tool prints them; its JSON and its text are read, and what is missing in both is null.</description></item>
/// </list>
/// <para>The simulated card's figures are those it was configured with; it has no temperature and needs no power. <see cref="Platform.GetDevices"/> asks the library alone, which takes microseconds.</para>
/// </remarks>
/// <param name="Id">Device id (QID), a value of <see cref="QaicOptions.DeviceIds"/>. Not the kernel's number of the device, nor that of its MHI controller.</param>
/// <param name="State">Whether networks can run on it.</param>
public sealed record QaicDevice(int Id, DeviceState State)
{
    /// <summary>What is wrong and what to do; null when nothing is known to be wrong.</summary>
    public string? Problem { get; init; }

    /// <summary>Type of the card: <c>PCIe Pro</c>, <c>PCIe Ultra</c>, <c>simulated</c>; null if nobody tells.</summary>
    public string? Sku { get; init; }

    /// <summary>Whether it is a simulated one, in this process or behind a library that takes the vendor's place.</summary>
    public bool IsSimulated { get; init; }

    /// <summary>AI cores (NSPs); null if nobody tells.</summary>
    public int? Cores { get; init; }

    /// <summary>AI cores that no activation holds; null if nobody tells.</summary>
    public int? FreeCores { get; init; }

    /// <summary>Device memory in bytes; null if nobody tells.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Device memory that is free, in bytes; null if nobody tells.</summary>
    public long? FreeMemoryBytes { get; init; }

    /// <summary>Serial number of the board, the same for the devices of one card; null if nobody tells.</summary>
    public string? Serial { get; init; }

    /// <summary>Version of the firmware; null if nobody tells.</summary>
    public string? Firmware { get; init; }

    /// <summary>Temperature of the chip in °C; null if nobody tells.</summary>
    public double? Temperature { get; init; }

    /// <summary>Power that the board draws, in watts; null if nobody tells.</summary>
    public double? Power { get; init; }

    /// <summary>Power that the board may draw (TDP cap), in watts; null if nobody tells.</summary>
    public double? PowerLimit { get; init; }

    /// <summary>Place on the PCI bus: <c>0000:41:00.0</c>; null if it has none or nobody tells.</summary>
    public string? PciAddress { get; init; }

    /// <summary>The file that processes open to use the device: <c>/dev/accel/accel0</c>; null if it has none or nobody tells.</summary>
    public string? DeviceNode { get; init; }

    /// <summary>Whether it is worth trying: ready, held by somebody who may let go, or of unknown state with resources of its own.</summary>
    internal bool MayRun => State is DeviceState.Ready or DeviceState.Busy || (State == DeviceState.Unknown && Cores > 0);

    /// <summary>What the library says of the place on the bus, where its layout is only likely.</summary>
    internal string? ClaimedAddress { get; init; }

    /// <summary>Lists devices, ready or not, with all that can be learnt of them. Takes up to seconds, because it runs <c>qaic-util</c> if that is installed.</summary>
    /// <param name="backend">Auto: cards if the machine has any, else the simulated ones. Aic: cards; also those the kernel knows and the library does not, with the reason. Simulated: simulated ones.</param>
    /// <returns>In the order of their ids.</returns>
    /// <exception cref="ArgumentOutOfRangeException">No such backend.</exception>
    /// <exception cref="QaicException">Aic: the library cannot be used, and the kernel knows no card either. Simulated, or Auto without cards: there is no simulated card here.</exception>
    public static IReadOnlyList<QaicDevice> List(QaicBackend backend = QaicBackend.Auto) => backend switch
    {
        QaicBackend.Auto => DeviceList.Cards(static () => Platform.Native(), Sysfs.System, QaicUtil.Installed, out _) is { Count: > 0 } cards ? cards : List(Platform.Select(QaicBackend.Simulated)),
        QaicBackend.Aic => DeviceList.Cards(static () => Platform.Native(), Sysfs.System, QaicUtil.Installed, out QaicException? failure) is var cards && (cards.Count > 0 || failure is null) ? cards : throw failure!,
        QaicBackend.Simulated => List(Platform.Select(backend)),
        _ => throw new ArgumentOutOfRangeException(nameof(backend), backend, "The backend must be Auto, Aic or Simulated."),
    };

    /// <summary>Lists the devices of a platform with all that can be learnt of them.</summary>
    /// <param name="platform">The platform.</param>
    /// <returns>In the order of their ids.</returns>
    /// <exception cref="QaicException"><see cref="QaicError.NotSupported"/>: the library cannot list devices.</exception>
    public static IReadOnlyList<QaicDevice> List(Platform platform)
    {
        ArgumentNullException.ThrowIfNull(platform);
        return platform.Describe(platform.GetDevices());
    }

    /// <summary>For messages: <c>device 0: Ready, 14 of 16 cores free</c>.</summary>
    public override string ToString() =>
        $"device {Id}: {State}{(Cores is null ? "" : $", {FreeCores} of {Cores} cores free")}{(Problem is null ? "" : $" ({Problem})")}";
}
