using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime;

/// <summary>How ONNX Runtime computes a network, beyond what the model says. Travels as metadata of the model, so that the model's checksum covers it and older QPCs, which lack it, load as before.</summary>
/// <param name="FakeQuantization">Quantized operators run as float kernels between Quantize and Dequantize, on every host the same, instead of integer kernels.</param>
internal sealed record NetworkSettings(bool FakeQuantization)
{
    private const string FakeQuantizationKey = "qaic.fake_quantization";
    private const string On = "1";

    /// <summary>The fastest kernels.</summary>
    public static NetworkSettings Default { get; } = new(FakeQuantization: false);

    /// <summary>The settings of a model. Other metadata is not looked at.</summary>
    public static NetworkSettings Of(OnnxModel model) => new(model.Proto.MetadataProps.LastOrDefault(e => e.Key == FakeQuantizationKey)?.Value == On);

    /// <summary>Writes the settings into a model. The defaults leave no trace in it.</summary>
    public void WriteTo(OnnxModel model)
    {
        for (int i = model.Proto.MetadataProps.Count - 1; i >= 0; i--)
        {
            if (model.Proto.MetadataProps[i].Key == FakeQuantizationKey)
            {
                model.Proto.MetadataProps.RemoveAt(i);
            }
        }

        if (FakeQuantization)
        {
            model.Proto.MetadataProps.Add(new StringStringEntryProto { Key = FakeQuantizationKey, Value = On });
        }
    }

    /// <summary>The settings as entries of a session's configuration (onnxruntime_session_options_config_keys.h).</summary>
    /// <param name="kernelsAreExact">See <see cref="IntegerKernels.AreExact"/>.</param>
    public IEnumerable<KeyValuePair<string, string>> SessionEntries(bool kernelsAreExact)
    {
        if (FakeQuantization)
        {
            // Neither fuses Quantize and Dequantize into integer kernels nor drops them; dequantized weights are still folded.
            yield return new("session.disable_quant_qdq", On);
        }

        if (!kernelsAreExact)
        {
            // Signed weights become unsigned, for which the kernels do not saturate in between.
            yield return new("session.x64quantprecision", On);
        }
    }
}
