using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Qaic.Cli.Commands;

/// <summary>Shows devices again and again: a table that changes in place on a terminal, else a line of JSON each time.</summary>
/// <param name="console">Where to.</param>
/// <param name="list">Asks for the devices; what it throws ends a watch that has shown nothing yet, and is told in one that has.</param>
/// <param name="interval">From one look to the next; if a look takes longer, the next follows at once.</param>
/// <param name="clock">What the time is.</param>
internal sealed class DeviceWatch(ToolConsole console, Func<IReadOnlyList<QaicDevice>> list, TimeSpan interval, TimeProvider clock)
{
    /// <summary>Watches.</summary>
    /// <param name="asJson">JSON also on a terminal.</param>
    /// <param name="count">Looks after which it ends; null: never.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="QaicException">The first look failed.</exception>
    public async Task Run(bool asJson, int? count, CancellationToken cancellationToken)
    {
        if (asJson || console.IsRedirected)
        {
            await Looks(count, WriteLine, cancellationToken).ConfigureAwait(false);
            return;
        }

        await console.Terminal.Live(new Text("")).StartAsync(context => Looks(count, (at, devices, failure) =>
        {
            context.UpdateTarget(failure is null ? new Rows(new Text(Time(at)), DeviceReport.ToTable(devices)) : new Text($"{Time(at)}  {failure}"));
            context.Refresh();
        }, cancellationToken)).ConfigureAwait(false);
    }

    private async Task Looks(int? count, Action<DateTimeOffset, IReadOnlyList<QaicDevice>, string?> show, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(interval, clock);
        for (int i = 0; i != count && !cancellationToken.IsCancellationRequested; i++)
        {
            DateTimeOffset at = clock.GetLocalNow();
            try
            {
                show(at, list(), null);
            }
            catch (QaicException e) when (i > 0)
            {
                // A driver that is loaded anew, or a device that is reset, is what one watches for.
                show(at, [], e.Message);
            }

            try
            {
                if (i + 1 != count)
                {
                    await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void WriteLine(DateTimeOffset at, IReadOnlyList<QaicDevice> devices, string? failure)
    {
        var line = new JsonObject { ["at"] = at.UtcDateTime.ToString("o", CultureInfo.InvariantCulture), ["devices"] = new JsonArray([.. devices.Select(DeviceReport.ToJson)]) };
        if (failure is not null)
        {
            line["failure"] = failure;
        }

        console.Output.WriteLine(line.ToJsonString());

        // Whoever reads a pipe wants the line now.
        console.Output.Flush();
    }

    private static string Time(DateTimeOffset at) => at.ToString("HH:mm:ss", CultureInfo.InvariantCulture);
}
