using Qaic.Qpc;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary>The metadata that a runtime reads from <c>network.elf</c> before it loads a network.</summary>
internal static class NetworkMetadata
{
    /// <summary>Name of the ELF section.</summary>
    public const string SectionName = "metadata";

    // Ports of the host's DMA requests, and the address space of the card's DDR.
    private const ushort HostInPort = 100;
    private const ushort HostOutPort = 101;
    private const byte DdrSpace = 1;

    /// <summary>Metadata 1.0 for a card of hardware major version 2, with one DMA request per DMA buffer of the network.</summary>
    public static byte[] Create(NetworkDescriptor network, long staticConstants)
    {
        var requests = new List<FlatTable>();
        ulong offset = 0;
        for (int i = 0; i < network.DmaBuffers.Count; i++)
        {
            DmaBuffer buffer = network.DmaBuffers[i];
            requests.Add(new FlatTable()
                .Set(2, 0ul) // host offset
                .Set(3, offset) // device offset
                .Set(4, buffer.Size)
                .Set(5, (ushort)i) // number of the host's buffer
                .Set(6, (ushort)0) // multicast id
                .Set(7, DdrSpace)
                .Set(8, (byte)buffer.Direction)
                .Set(9, buffer.Direction == DmaDirection.In ? HostInPort : HostOutPort));
            offset += buffer.Size;
        }

        // Slots are the fields of AicMetadataFlat_Metadata in the order of its schema. An absent field is its default, 0.
        return new FlatTable()
            .Set(0, (ushort)1) // version, major
            .Set(1, (ushort)0) // version, minor
            .Set(2, network.NetworkName)
            .SetEmptyVector(3) // fields that a reader must understand
            .SetEmptyVector(4) // initial states of semaphores
            .SetEmptyVector(5) // initial state of L2TCM
            .Set(6, requests)
            .Set(7, [new FlatTable()]) // multicast tables of cores; readers take the first without asking
            .Set(8, new FlatTable()) // the host's multicast table
            .SetEmptyVector(9) // threads
            .SetEmptyVector(10) // mappings of constants
            .Set(11, offset) // shared DDR
            .Set(13, (ulong)staticConstants)
            .Set(18, (ushort)5) // version of the execution context
            .Set(19, (ushort)network.NumCores)
            .Set(21, (byte)2) // hardware, major
            .Set(22, (byte)0) // hardware, minor
            .ToBytes();
    }
}
