using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>What a load or an activation takes of a card.</summary>
internal readonly record struct ResourceDemand(int Cores = 0, int VirtualChannels = 0, int MulticastIds = 0, int Semaphores = 0, long DramBytes = 0)
{
    /// <summary>What one activation of a network on <paramref name="cores"/> cores takes.</summary>
    public static ResourceDemand OfActivation(int cores) => new(cores, VirtualChannels: 1, MulticastIds: cores, Semaphores: 2);
}

/// <summary>The free resources of a card. Thread-safe.</summary>
internal sealed class ResourcePool(int device, SimulatedCardOptions total)
{
    private readonly Lock _sync = new();
    private int _cores = total.Cores;
    private int _channels = total.VirtualChannels;
    private int _mcids = total.MulticastIds;
    private int _semaphores = total.Semaphores;
    private long _dram = (long)total.DramMegabytes << 20;

    /// <summary>Takes all or nothing.</summary>
    /// <param name="demand">What to take.</param>
    /// <param name="operation">For the message: "load", "activate".</param>
    /// <exception cref="SimulatedFailure">Something is exhausted: DevError, with the card's own words and device status.</exception>
    public void Take(in ResourceDemand demand, string operation)
    {
        lock (_sync)
        {
            if (Shortage(demand) is { } shortage)
            {
                throw new SimulatedFailure(QStatus.DevError, $"Device {device} {operation} failed: {shortage}");
            }

            Add(demand, -1);
        }
    }

    /// <summary>Takes nothing, but fails where nothing could be taken now: what newer libraries do when a program is made.</summary>
    /// <param name="demand">What will be taken.</param>
    /// <param name="program">For the message.</param>
    /// <exception cref="SimulatedFailure">Something is exhausted: DevError.</exception>
    public void Require(in ResourceDemand demand, string program)
    {
        lock (_sync)
        {
            if (Shortage(demand) is { } shortage)
            {
                throw new SimulatedFailure(QStatus.DevError, $"Device {device} does not satisfy the resource requirements of program '{program}': {shortage}");
            }
        }
    }

    /// <summary>Gives back what was taken.</summary>
    public void Give(in ResourceDemand demand)
    {
        lock (_sync)
        {
            Add(demand, +1);
        }
    }

    /// <summary>Totals and what is free now. Memory in KiB, as newer SDKs have it.</summary>
    public QResourceInfo Snapshot()
    {
        lock (_sync)
        {
            return new QResourceInfo
            {
                ReservationId = -1,
                DramTotal = (ulong)total.DramMegabytes << 10,
                DramFree = (ulong)_dram >> 10,
                VcTotal = (byte)total.VirtualChannels,
                VcFree = (byte)_channels,
                NspTotal = (byte)total.Cores,
                NspFree = (byte)_cores,
                McidTotal = (uint)total.MulticastIds,
                McidFree = (uint)_mcids,
                SemTotal = (uint)total.Semaphores,
                SemFree = (uint)_semaphores,
            };
        }
    }

    private string? Shortage(in ResourceDemand demand)
    {
        return Compare(demand.DramBytes, _dram, -4, "Memory resource exhausted", "bytes of DRAM")
            ?? Compare(demand.Cores, _cores, -13, "Failed to allocate NSP resources", "AI cores")
            ?? Compare(demand.VirtualChannels, _channels, -14, "Failed to allocate VC resources", "virtual channels")
            ?? Compare(demand.MulticastIds, _mcids, -12, "Failed to allocate MCID resources", "multicast ids")
            ?? Compare(demand.Semaphores, _semaphores, -15, "Failed to allocate semaphore resources", "semaphores");

        static string? Compare(long needed, long free, int deviceStatus, string words, string what) => needed <= free
            ? null
            : $"{words} (device status {deviceStatus}): {needed} {what} needed, {free} free. Deactivate or unload other programs, or use another card.";
    }

    private void Add(in ResourceDemand demand, int sign)
    {
        _cores += sign * demand.Cores;
        _channels += sign * demand.VirtualChannels;
        _mcids += sign * demand.MulticastIds;
        _semaphores += sign * demand.Semaphores;
        _dram += sign * demand.DramBytes;
    }
}
