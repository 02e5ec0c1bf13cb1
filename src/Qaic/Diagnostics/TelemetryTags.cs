namespace Qaic.Diagnostics;

/// <summary>The tags of one network, on one device or several, made once so that measuring allocates nothing.</summary>
/// <param name="deviceId">The device (QID); null for what is not of one device.</param>
/// <param name="network">Name of the network; no path, so that series of several hosts meet.</param>
/// <param name="platform">Name of the platform.</param>
internal sealed class TelemetryTags(int? deviceId, string network, string platform)
{
    public const string DeviceId = "qaic.device.id";
    public const string Network = "qaic.network";
    public const string Platform = "qaic.platform";

    private readonly KeyValuePair<string, object?>[] _tags = deviceId is null
        ? [new(Network, network), new(Platform, platform)]
        : [new(DeviceId, deviceId.Value), new(Network, network), new(Platform, platform)];

    public ReadOnlySpan<KeyValuePair<string, object?>> Span => _tags;

    /// <summary>The same for calls that take a sequence.</summary>
    public IEnumerable<KeyValuePair<string, object?>> Sequence => _tags;
}
