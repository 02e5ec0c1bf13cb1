namespace Qaic;

/// <summary>Where networks run.</summary>
public enum QaicBackend
{
    /// <summary>A card that is ready if there is one, else the simulated card, with a warning in the log.</summary>
    Auto,

    /// <summary>A card, or an error that says what is missing.</summary>
    Aic,

    /// <summary>The simulated card.</summary>
    Simulated,
}

/// <summary>How real numbers become 8 bit integers: <c>real = scale × (integer − offset)</c>.</summary>
public enum QuantizationSchema
{
    /// <summary><c>asymmetric</c>: scale and offset cover the range that was seen.</summary>
    Asymmetric,

    /// <summary><c>symmetric</c>: offset 0.</summary>
    Symmetric,

    /// <summary><c>symmetric_with_uint8</c>: symmetric, but a range without negative numbers uses all 8 bits.</summary>
    SymmetricWithUInt8,

    /// <summary><c>symmetric_with_power2_scale</c>: symmetric, the scale rounded to a power of two.</summary>
    SymmetricWithPower2Scale,
}

/// <summary>How a range is chosen from what was seen while profiling.</summary>
public enum QuantizationCalibration
{
    /// <summary><c>None</c>: smallest to largest value.</summary>
    None,

    /// <summary><c>KLMinimization</c>.</summary>
    KLMinimization,

    /// <summary><c>KLMinimizationV2</c>.</summary>
    KLMinimizationV2,

    /// <summary><c>Percentile</c>: see <see cref="QaicOptions.PercentileCalibrationValue"/>.</summary>
    Percentile,

    /// <summary><c>MSE</c>: least mean squared error.</summary>
    Mse,

    /// <summary><c>SQNR</c>: best ratio of signal to quantization noise.</summary>
    Sqnr,

    /// <summary><c>auto</c>: the one of the others that loses least on data held out from profiling. The embedded compiler and ML.NET's estimators choose; the vendor's compilers have nothing like it.</summary>
    Auto,
}

/// <summary>Type of quantized activations and weights.</summary>
public enum QuantizationPrecision
{
    /// <summary><c>Int8</c>.</summary>
    Int8,

    /// <summary><c>Int16</c>; not every compiler has it.</summary>
    Int16,
}

/// <summary>Type of quantized biases.</summary>
public enum BiasPrecision
{
    /// <summary><c>Int8</c>.</summary>
    Int8,

    /// <summary><c>Int32</c>.</summary>
    Int32,
}

/// <summary>What the cores' performance counters count.</summary>
public enum PmuRecipe
{
    /// <summary><c>AxiRd</c>: reads on the bus.</summary>
    AxiRd,

    /// <summary><c>AxiWr</c>: writes on the bus.</summary>
    AxiWr,

    /// <summary><c>AxiRdWr</c>: reads and writes on the bus.</summary>
    AxiRdWr,

    /// <summary><c>KernelUtil</c>: use of the units by kernels.</summary>
    KernelUtil,

    /// <summary><c>HmxMacs</c>: multiply-accumulates of the matrix unit.</summary>
    HmxMacs,
}

/// <summary>What a network compiled for profiling reports.</summary>
public enum ProfilingType
{
    /// <summary><c>stats</c>.</summary>
    Stats,

    /// <summary><c>trace</c>.</summary>
    Trace,

    /// <summary><c>latency</c>.</summary>
    Latency,
}
