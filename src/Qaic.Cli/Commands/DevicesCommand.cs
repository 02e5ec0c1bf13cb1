using System.CommandLine;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic devices</c>: which devices there are, and how they are.</summary>
internal static class DevicesCommand
{
    private const double DefaultInterval = 2;

    public static Command Create(ToolConsole console)
    {
        Option<string> backend = BackendOption.Create("Which devices: cards if there are any, else the simulated ones (auto); cards (aic); the simulated ones (sim).");
        var library = new Option<string?>("--library") { Description = "The card's library, instead of QAIC_LIB or where the SDK puts it.", HelpName = "libQAic.so" };
        var watch = new Option<double?>("--watch") { Description = "Looks again every so many seconds (2) until Ctrl-C. A line of JSON each time where the output is no terminal.", HelpName = "s", Arity = ArgumentArity.ZeroOrOne };
        var count = new Option<int?>("--count") { Description = "Ends --watch after so many looks.", HelpName = "n" };
        var json = new Option<bool>("--json") { Description = "JSON for machines instead of a table." };
        var command = new Command("devices", "Lists devices: state, type, cores and memory, serial number, firmware, temperature, power, PCI address and node.") { backend, library, watch, count, json };
        command.SetAction(async (result, token) =>
        {
            double interval = result.GetValue(watch) ?? DefaultInterval;
            if (interval is not (>= 0.01 and <= 86_400) || result.GetValue(count) < 1)
            {
                throw new UsageException("--watch takes seconds from 0.01 to 86400, and --count 1 or more.");
            }

            Func<IReadOnlyList<QaicDevice>> list = Source(BackendOption.Read(result, backend), result.GetValue(library));
            if (result.GetResult(watch) is not null)
            {
                await new DeviceWatch(console, list, TimeSpan.FromSeconds(interval), TimeProvider.System).Run(result.GetValue(json), result.GetValue(count), token).ConfigureAwait(false);
            }
            else
            {
                Write(console, list(), result.GetValue(json));
            }

            return QaicTool.Success;
        });
        return command;
    }

    private static Func<IReadOnlyList<QaicDevice>> Source(QaicBackend backend, string? library) =>
        library is null ? () => QaicDevice.List(backend) : () => QaicDevice.List(Platform.Native(library));

    private static void Write(ToolConsole console, IReadOnlyList<QaicDevice> devices, bool asJson)
    {
        if (asJson)
        {
            console.WriteJson(new JsonArray([.. devices.Select(DeviceReport.ToJson)]));
        }
        else if (devices.Count == 0)
        {
            console.Terminal.WriteLine("There are no devices. 'qaic doctor' tells why.");
        }
        else
        {
            console.Terminal.Write(DeviceReport.ToTable(devices));
        }
    }
}
