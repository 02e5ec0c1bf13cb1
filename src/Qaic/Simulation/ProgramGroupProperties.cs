using System.Runtime.InteropServices;

namespace Qaic.Simulation;

/// <summary>How a program group switches between its programs.</summary>
internal enum SwitchProtocol : uint
{
    ControlPath = 0,
    DataPath = 1,
}

/// <summary>QAicProgramGroupProperties_t. Only the names of its members are public: order, types and size are ours, as in <c>qaic_sim.h</c>. Initialised with zeros.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct ProgramGroupProperties
{
    /// <summary>bool: the programs share the cores of the largest and take turns. Without it each has its own, as outside a group.</summary>
    [FieldOffset(0)]
    public byte EnableOversubscription;

    [FieldOffset(4)]
    public SwitchProtocol ProtocolSelect;
}
