using System.Runtime.InteropServices;

namespace Qaic.Interop;

// Layouts as on x86-64 and AArch64 Linux (both LP64, natural alignment); LayoutTests compares every offset with the C compiler's.

/// <summary>QBuffer, QAicRuntimeTypes.h. Handle and Offset matter to DMA buffers only.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct QBuffer
{
    public nuint Size;
    public byte* Buf;
    public ulong Handle;
    public uint Offset;
    public QBufferType Type;
}

/// <summary>QBufferType, QAicRuntimeTypes.h. Heap is certain; the others are plausible only.</summary>
internal enum QBufferType : uint
{
    Heap = 0,
    DmaBuf = 1,
    Pmem = 2,
}

/// <summary>QData, QAicRuntimeTypes.h: a block in the library's memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct QData
{
    public nuint Size;
    public byte* Data;
}

/// <summary>QBufferDimensions, QAicRuntimeTypes.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct QBufferDimensions
{
    public uint Count;
    public uint SizeOfElem;
    public uint* Dims;
}

/// <summary>QAicQueueProperties_t, QAicRuntimeTypes.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct QAicQueueProperties
{
    public uint Properties;
    public uint NumThreadsPerQueue;
}

/// <summary>QAicQpcInfo_t, QAicApi.h. Certain for SDK 1.21.6.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct QAicQpcInfo
{
    public uint NumPrograms;
    public QAicQpcProgramInfo* ProgramInfo;
    public uint NumConstants;
    public QAicQpcConstantsInfo* ConstantsInfo;
}

/// <summary>QAicQpcProgramInfo_t, QAicApi.h: the open runtime's prefix. The stride differs between SDKs, so only element 0 may be read.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct QAicQpcProgramInfo
{
    public fixed byte Name[64];
    public uint ProgramIndex;
    public uint NumCores;
    public uint Size;
    public QAicIoBufferInfo IoBufferInfo;
    public QAicIoBufferInfo IoBufferInfoDma;
    public int BatchSize;
}

/// <summary>QAicQpcConstantsInfo_t, QAicApi.h. Certain for SDK 1.21.6.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct QAicQpcConstantsInfo
{
    public fixed byte Name[64];
    public uint Index;
    public uint Size;
}

/// <summary>QAicIoBufferInfo_t, QAicApi.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct QAicIoBufferInfo
{
    public uint NumBufferMappings;
    public QAicBufferMappings* BufferMappings;
}

/// <summary>QAicBufferMappings_t, QAicApi.h. For outputs the vendor's DataType is the device's, not the host's: names, types and sizes come from the I/O descriptor.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct QAicBufferMappings
{
    public byte* BufferName;
    public uint Index;
    public uint IoType;
    public uint Size;
    public byte IsPartialBufferAllowed;
    public uint DataType;
}

/// <summary>QResourceInfo, QAicRuntimeTypes.h. Dram figures are MB in the open runtime and KiB in newer SDKs.</summary>
[StructLayout(LayoutKind.Sequential, Size = 56)]
internal struct QResourceInfo
{
    public int ReservationId;
    public ulong DramTotal;
    public ulong DramFree;
    public byte VcTotal;
    public byte VcFree;
    public byte NspTotal;
    public byte NspFree;
    public uint McidTotal;
    public uint McidFree;
    public uint SemTotal;
    public uint SemFree;
    public byte PcTotal;
    public byte PcReserved;
    public byte SkuType;
}

/// <summary>QDevInfo, QAicRuntimeTypes.h: the fields that are read, at the open runtime's offsets. Vendor builds may be larger, so callers give it <see cref="Capacity"/> bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 1160)]
internal unsafe struct QDevInfo
{
    /// <summary>Room to hand to the library, far above any known size.</summary>
    public const int Capacity = 16 * 1024;

    [FieldOffset(0)]
    public QDevStatus DevStatus;

    [FieldOffset(8)]
    public ushort PciDomain;

    [FieldOffset(10)]
    public byte PciBus;

    [FieldOffset(11)]
    public byte PciDevice;

    [FieldOffset(12)]
    public byte PciFunction;

    [FieldOffset(432)]
    public int Qid;

    [FieldOffset(800)]
    public QResourceInfo ResourceInfo;

    [FieldOffset(1092)]
    public fixed byte Name[64];
}

/// <summary>QDevStatus, QAicRuntimeTypes.h.</summary>
internal enum QDevStatus : uint
{
    Initializing = 0,
    Ready = 1,
    Error = 2,
}

/// <summary>QLogLevel, QAicRuntimeTypes.h.</summary>
internal enum QLogLevel : uint
{
    Debug = 0,
    Info = 1,
    Warn = 2,
    Error = 3,
}

/// <summary>Commands of qaicRunActivationCmd, QAicApi.h.</summary>
internal enum QAicActivationCmd : uint
{
    ActivateFull = 0,
    DeactivateFull = 1,
}

/// <summary>QAicExecObjProperties_t, QAicRuntimeTypes.h: a bit mask. AutoLoadActivate, the default, is likely. The name ZERO_COPY_BUFFERS is certain, its number is not public: ours is chosen.</summary>
[Flags]
internal enum QAicExecObjProperties : uint
{
    None = 0,
    ZeroCopyBuffers = 0x1,
    AutoLoadActivate = 0x4,
}

/// <summary>QAicBufferIoTypeEnum, QAicApi.h. Not the numbering of the descriptor's direction (0 in, 1 out).</summary>
internal enum QAicBufferIoType : uint
{
    Invalid = 0,
    Input = 1,
    Output = 2,
}

/// <summary>QAicEventCompletionType, QAicRuntimeTypes.h. The name DEVICE_COMPLETE is certain, its number is not public: ours is the only one there is.</summary>
internal enum QAicEventCompletionType : uint
{
    DeviceComplete = 0,
}
