using System.Runtime.InteropServices;

namespace Qaic.Simulation;

/// <summary>QAicProgramProperties_t as the open runtime has it: the first 24 bytes of the vendor's.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ProgramProperties
{
    public uint SelectMask;

    /// <summary>Despite its name: how many more times the wait for a result is repeated.</summary>
    public uint SubmitNumRetries;

    /// <summary>Despite its name: how long one wait for a result takes; 0 is the kernel's 5000 ms.</summary>
    public uint SubmitRetryTimeoutMs;

    /// <summary>The vendor's device mapping is believed to be here.</summary>
    public ulong Reserved;

    public static ProgramProperties Default => new() { SubmitNumRetries = 5 };
}
