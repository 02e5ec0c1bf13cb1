using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Qaic.Interop;

/// <summary>A device as <c>qaic-util</c> prints it. Null: it does not tell.</summary>
internal sealed record QaicUtilDevice(int Qid)
{
    public DeviceState State { get; init; }

    public string? PciAddress { get; init; }

    public string? Sku { get; init; }

    public string? Serial { get; init; }

    public string? Firmware { get; init; }

    public int? Cores { get; init; }

    public int? FreeCores { get; init; }

    public long? MemoryBytes { get; init; }

    public long? FreeMemoryBytes { get; init; }

    public double? Temperature { get; init; }

    public double? Power { get; init; }

    public double? PowerLimit { get; init; }
}

/// <summary>Runs the vendor's <c>qaic-util -q</c>, whose output is the only public source of serial numbers and firmware versions.</summary>
/// <remarks>
/// The names of its JSON are not documented, and older tools have none, so names are compared without case, spaces and punctuation, at any depth, and its text is read with the same names.
/// It has a bounded time and a bounded length; whatever goes wrong, the answer is an empty list.
/// </remarks>
/// <param name="path">The program; null for none.</param>
/// <param name="limit">How long it may take.</param>
internal sealed class QaicUtil(string? path, TimeSpan limit)
{
    private const string Directory = "/opt/qti-aic/tools";
    private const string Name = "qaic-util";
    private const int MaxCharacters = 4 << 20;
    private const int MaxDepth = 32;
    private const UnixFileMode AnyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>How long it takes at most, if nobody knows better.</summary>
    public static TimeSpan Limit { get; } = TimeSpan.FromSeconds(10);

    /// <summary>The one of the SDK, else the one in PATH, else none.</summary>
    public static QaicUtil Installed => new(Search(Directory, Environment.GetEnvironmentVariable("PATH")), Limit);

    /// <summary>Asks it.</summary>
    public IReadOnlyList<QaicUtilDevice> Devices()
    {
        if (path is null || !File.Exists(path))
        {
            return [];
        }

        string json = Path.Combine(Path.GetTempPath(), $"qaic-util-{Guid.NewGuid():n}.json");
        try
        {
            if (Run(["-q", "-j", json]) is not { } printed)
            {
                return [];
            }

            string written = File.Exists(json) && new FileInfo(json).Length < MaxCharacters ? File.ReadAllText(json) : "";
            return Parse(written) is { Count: > 0 } found ? found : Parse(printed) is { Count: > 0 } said ? said : Parse(Run(["-q"]) ?? "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
        finally
        {
            Discard(json);
        }
    }

    /// <summary>The program in the SDK's directory, else in that of PATH; null if there is none.</summary>
    // Relative entries are left out: which program is run must not depend on the directory one happens to be in.
    internal static string? Search(string sdkDirectory, string? searchPath) =>
        (searchPath ?? "").Split(Path.PathSeparator).Where(Path.IsPathRooted).Prepend(sdkDirectory).Select(directory => Path.Combine(directory, Name)).FirstOrDefault(IsProgram);

    /// <summary>Reads JSON, or the text for people.</summary>
    internal static IReadOnlyList<QaicUtilDevice> Parse(string output)
    {
        IEnumerable<Dictionary<string, string>> devices = output.TrimStart().StartsWith('{') || output.TrimStart().StartsWith('[') ? FromJson(output) : FromText(output);
        return [.. devices.Select(Describe).OfType<QaicUtilDevice>().DistinctBy(d => d.Qid).OrderBy(d => d.Qid)];
    }

    private static List<Dictionary<string, string>> FromJson(string output)
    {
        var devices = new List<Dictionary<string, string>>();
        try
        {
            using var document = JsonDocument.Parse(output, new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, MaxDepth = MaxDepth });
            FindDevices(document.RootElement, devices);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Then it tells nothing, or nothing more: a text with half of a pair of surrogates is found only when it is read.
        }

        return devices;
    }

    // An object with a QID is a device, wherever it is.
    private static void FindDevices(JsonElement element, List<Dictionary<string, string>> devices)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in element.EnumerateArray())
            {
                FindDevices(item, devices);
            }
        }
        else if (element.ValueKind == JsonValueKind.Object)
        {
            if (element.EnumerateObject().Any(p => Simple(p.Name) == "qid"))
            {
                var values = new Dictionary<string, string>();
                Flatten(element, values);
                devices.Add(values);
                return;
            }

            foreach (JsonProperty property in element.EnumerateObject())
            {
                FindDevices(property.Value, devices);
            }
        }
    }

    private static void Flatten(JsonElement element, Dictionary<string, string> values)
    {
        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (property.Value.ValueKind == JsonValueKind.Object)
            {
                Flatten(property.Value, values);
            }
            else if (property.Value.ValueKind is JsonValueKind.String or JsonValueKind.Number)
            {
                values.TryAdd(Simple(property.Name), property.Value.ToString());
            }
        }
    }

    // "QID 0", then "\tStatus:Ready" and so on.
    private static List<Dictionary<string, string>> FromText(string output)
    {
        var devices = new List<Dictionary<string, string>>();
        foreach (string line in output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = line.Split([' ', ':', '\t'], 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (words is ["QID", var qid])
            {
                devices.Add(new() { ["qid"] = qid.TrimStart(':', ' ') });
            }
            else if (devices.Count > 0 && line.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon)
            {
                devices[^1].TryAdd(Simple(line[..colon]), line[(colon + 1)..].Trim());
            }
        }

        return devices;
    }

    private static QaicUtilDevice? Describe(Dictionary<string, string> values)
    {
        if (!int.TryParse(values.GetValueOrDefault("qid"), NumberStyles.None, CultureInfo.InvariantCulture, out int qid))
        {
            return null;
        }

        (int? cores, int? free) = (Plausible(Number("nsptotal"), 64), Plausible(Number("nspfree"), 64));
        (long? memory, long? freeMemory) = (Bytes("dramtotal"), Bytes("dramfree"));
        return new QaicUtilDevice(qid)
        {
            State = Text("devstatus", "status")?.ToUpperInvariant() switch
            {
                "READY" or "1" => DeviceState.Ready,
                "INITIALIZING" or "0" => DeviceState.Initializing,
                "BUSY" => DeviceState.Busy,
                "ERROR" or "2" => DeviceState.Error,
                _ => DeviceState.Unknown,
            },
            PciAddress = Text("pciaddress")?.ToLowerInvariant(),
            Sku = Text("skutype", "sku"),
            Serial = Text("boardserial", "hwserial"),
            Firmware = Text("fwversion", "firmwareversion"),
            Cores = cores,
            FreeCores = free <= cores ? free : null,
            MemoryBytes = memory,
            FreeMemoryBytes = freeMemory <= memory ? freeMemory : null,
            Temperature = Number("soctemperaturedegreec", "soctemperature", "temperature"),
            Power = Number("boardpowerwatts", "boardpower", "power"),
            PowerLimit = Number("tdpcapwatts", "tdpcap"),
        };

        string? Text(params ReadOnlySpan<string> names)
        {
            foreach (string name in names)
            {
                if (values.TryGetValue(name, out string? value) && value.Length is > 0 and < 256 && !value.Equals("N/A", StringComparison.OrdinalIgnoreCase))
                {
                    return value;
                }
            }

            return null;
        }

        // The number at the beginning; a unit may follow.
        double? Number(params ReadOnlySpan<string> names) =>
            Text(names) is { } text && double.TryParse(text.Split(' ')[0], NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out double value) ? value : null;

        // Megabytes, unless it says otherwise; older tools print kilobytes and say so, and newer ones may not (16 GiB are over a million of them).
        long? Bytes(string name)
        {
            if (Number(name) is not (>= 0 and < 1e15 and var value))
            {
                return null;
            }

            string text = Text(name)!;
            bool isKilo = text.EndsWith("KB", StringComparison.OrdinalIgnoreCase) || (!text.EndsWith("MB", StringComparison.OrdinalIgnoreCase) && Number("dramtotal") >= 1 << 20);
            return (long)value * (isKilo ? 1L << 10 : 1L << 20);
        }
    }

    private static int? Plausible(double? number, int maximum) => number is >= 0 && number <= maximum ? (int)number : null;

    private static string Simple(string name)
    {
        var simple = new StringBuilder(name.Length);
        foreach (char c in name)
        {
            if (char.IsAsciiLetterOrDigit(c))
            {
                simple.Append(char.ToLowerInvariant(c));
            }
        }

        return simple.ToString();
    }

    private static bool IsProgram(string file) => File.Exists(file) && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(file) & AnyExecute) != 0);

    // Null: it cannot be run, or takes too long. An exit code says little: without a device it is 0, and in newer tools also with one that failed.
    private string? Run(string[] arguments)
    {
        var start = new ProcessStartInfo(path!, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };

        // Numbers are read with a decimal point and names in English, whatever the user speaks.
        start.Environment["LC_ALL"] = "C.UTF-8";
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException)
        {
            return null;
        }

        using (process)
        {
            using var timeout = new CancellationTokenSource(limit);
            try
            {
                process.StandardInput.Close();
                Task<string> output = ReadSome(process.StandardOutput, timeout.Token);
                Task<string> errors = ReadSome(process.StandardError, timeout.Token);
                Task.WaitAll([output, errors], timeout.Token);
                process.WaitForExitAsync(timeout.Token).GetAwaiter().GetResult();
                return output.Result;
            }
            catch (Exception e) when (e is OperationCanceledException or AggregateException or IOException)
            {
                Kill(process);
                return null;
            }
        }
    }

    private static async Task<string> ReadSome(StreamReader reader, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        char[] buffer = new char[4096];
        for (int read; (read = await reader.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
        {
            // Read on, so that it can end; what is too much is not kept.
            text.Append(buffer, 0, Math.Min(read, MaxCharacters - text.Length));
        }

        return text.ToString();
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or AggregateException)
        {
            // It has ended.
        }
    }

    private static void Discard(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is in the system's directory for such things.
        }
    }
}
