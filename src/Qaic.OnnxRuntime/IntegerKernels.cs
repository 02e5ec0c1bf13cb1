using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Qaic.OnnxRuntime;

/// <summary>What this processor's integer kernels compute.</summary>
/// <remarks>
/// The x64 kernels multiply unsigned activations with signed weights. Before VNNI the only instruction for that, VPMADDUBSW, adds two products in 16 bits and saturates: 255 × 127 + 255 × 127
/// does not fit, and sums come out too small without a word.
/// </remarks>
internal static class IntegerKernels
{
    // CPUID leaf 7: subleaf 0, ECX; subleaf 1, EAX. Intel 64 manual, volume 2A.
    private const int ExtendedFeatures = 7;
    private const int Avx512Vnni = 1 << 11;
    private const int AvxVnni = 1 << 4;

    /// <summary>Whether sums of products of unsigned activations and signed weights are exact on this host.</summary>
    public static bool AreExact { get; } = Detect();

    /// <summary>The same for a processor that is described.</summary>
    /// <param name="architecture">Its instruction set.</param>
    /// <param name="ecx">Leaf 7, subleaf 0, ECX.</param>
    /// <param name="eax">Leaf 7, subleaf 1, EAX; 0 if there is no such subleaf.</param>
    /// <param name="systemSavesAvx512">Whether the operating system lets programs use AVX-512.</param>
    /// <param name="systemSavesAvx2">The same of AVX2.</param>
    public static bool AreExactOn(Architecture architecture, int ecx, int eax, bool systemSavesAvx512, bool systemSavesAvx2) =>
        architecture is not (Architecture.X64 or Architecture.X86) || (systemSavesAvx512 && (ecx & Avx512Vnni) != 0) || (systemSavesAvx2 && (eax & AvxVnni) != 0);

    private static bool Detect()
    {
        (int ecx, int eax) = (0, 0);
        if (X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= ExtendedFeatures)
        {
            (int subleaves, _, ecx, _) = X86Base.CpuId(ExtendedFeatures, 0);
            eax = subleaves >= 1 ? X86Base.CpuId(ExtendedFeatures, 1).Eax : 0;
        }

        return AreExactOn(RuntimeInformation.ProcessArchitecture, ecx, eax, Avx512BW.VL.IsSupported && Avx512DQ.IsSupported, Avx2.IsSupported);
    }
}
