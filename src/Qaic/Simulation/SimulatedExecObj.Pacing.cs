namespace Qaic.Simulation;

// What a paced card wants to know of an inference.
internal sealed partial class SimulatedExecObj
{
    /// <summary>Of a paced card: the inference in flight.</summary>
    public PacedInference Pace { get; set; }

    /// <summary>Bytes that travel to the card.</summary>
    public long InputBytes => BytesOf(inputs: true);

    /// <summary>Bytes that travel to the host.</summary>
    public long OutputBytes => BytesOf(inputs: false);

    /// <summary>Rows of the inference: the batch size, or as much of it as the inputs of the shapes in use are of the whole inputs.</summary>
    public double Rows
    {
        get
        {
            double share = 1;
            if (_network.Qpc.ShapeSets.Length > 1)
            {
                long inputs = 0, whole = 0;
                for (int i = 0; i < _bindings.Length; i++)
                {
                    inputs += _bindings[i].IsInput ? _network.Qpc.ShapeSets[_shapes][i].ByteLength : 0;
                    whole += _bindings[i].IsInput ? _bindings[i].Bytes : 0;
                }

                share = whole == 0 ? 1 : (double)inputs / whole;
            }

            return Math.Max(_network.Qpc.Network.BatchSize, 1) * share;
        }
    }

    private long BytesOf(bool inputs)
    {
        long bytes = 0;
        for (int i = 0; i < _bindings.Length; i++)
        {
            if (_bindings[i].IsInput == inputs && _bindings[i].Dma >= 0)
            {
                // What was converted on the host, or written by the caller in the device's own format, travels in that.
                bool isDeviceFormat = _view is null || (_view.IsConverting && _host[i].Size > 0);
                bytes += isDeviceFormat ? _bindings[i].Bytes : _host[i].Size;
            }
        }

        return bytes;
    }
}
