using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Qaic.Cli.Commands.Bench;
using Qaic.Cli.Data;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic bench</c>: how fast a network runs.</summary>
internal sealed class BenchCommand
{
    private const double DefaultSeconds = 10;

    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true };

    private readonly ToolConsole _console;
    private readonly Argument<string> _model = new("model") { Description = "An .onnx file, a QPC file, or a directory that holds programqpc.bin.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<string> _scenario = new("--scenario")
    {
        Description = "offline: all slots busy (rows/s). single-stream: one after the other (latency). server: at a rate that does not depend on the answers (latency under load).",
        DefaultValueFactory = _ => "offline",
    };

    private readonly Option<double?> _rate = new("--rate") { Description = "server: requests per second; a request is one inference, a whole batch.", HelpName = "requests/s" };
    private readonly Option<bool> _poisson = new("--poisson") { Description = "server: requests come as from independent users, not at equal distances." };
    private readonly Option<bool> _findRate = new("--find-rate") { Description = "server: finds the highest rate that meets --target-latency." };
    private readonly Option<double?> _target = new("--target-latency") { Description = "server: the latency that 99 % of the requests are to have at most.", HelpName = "ms" };
    private readonly Option<double?> _duration = new("--duration") { Description = "Seconds of each repetition; 10 unless --count is given.", HelpName = "s" };
    private readonly Option<long?> _count = new("--count") { Description = "Inferences of each repetition, instead of a duration.", HelpName = "n" };
    private readonly Option<double> _warmUp = new("--warmup") { Description = "Seconds before the first repetition that do not count.", DefaultValueFactory = _ => 1, HelpName = "s" };
    private readonly Option<int> _repetitions = new("--repetitions") { Description = "How often it is measured; the median and the spread are told.", DefaultValueFactory = _ => 3, HelpName = "n" };
    private readonly Option<int?> _activations = new("--activations") { Description = "Activations of the network (num_activations).", HelpName = "n" };
    private readonly Option<int?> _setSize = new("--set-size") { Description = "Inferences in flight per activation (set_size).", HelpName = "n" };
    private readonly Option<string[]> _input = new("--input") { Description = "File with an input's rows, which are taken in turn until the batch is full: .npy, .csv or raw, as for 'qaic run'; --input name=file, or the file alone for a single input. Random where none is given. Repeatable.", HelpName = "name=file", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<int> _seed = new("--seed") { Description = "Seed of random inputs and of Poisson arrivals.", DefaultValueFactory = _ => 1, HelpName = "n" };
    private readonly Option<int?> _shapes = new("--shapes") { Description = "Which set of shapes of a network that has several, from 0.", HelpName = "n" };
    private readonly Option<string?> _output = new("--output") { Description = "Writes the result to a JSON file, for bench compare.", HelpName = "file.json" };
    private readonly Option<bool> _json = new("--json") { Description = "The result as JSON instead of tables." };
    private readonly SessionOptions _session;

    private BenchCommand(ToolConsole console, Command command)
    {
        _console = console;
        _scenario.AcceptOnlyFromAmong("offline", "single-stream", "server");
        command.Arguments.Add(_model);
        foreach (Option option in new Option[] { _scenario, _rate, _poisson, _findRate, _target, _duration, _count, _warmUp, _repetitions, _activations, _setSize, _input, _seed, _shapes, _output, _json })
        {
            command.Options.Add(option);
        }

        _session = SessionOptions.AddTo(command);
        command.SetAction((result, token) => Task.Run(() => Run(result, token), CancellationToken.None));
        command.Subcommands.Add(BenchCompareCommand.Create(console));
    }

    public static Command Create(ToolConsole console)
    {
        var command = new Command("bench", "Measures throughput and latency. Ctrl-C ends it and shows what was measured so far.");
        _ = new BenchCommand(console, command);
        return command;
    }

    private int Run(ParseResult result, CancellationToken cancellationToken)
    {
        LoadSettings settings = Settings(result);
        int repetitions = result.GetValue(_repetitions) is >= 1 and var n ? n : throw new UsageException("--repetitions must be 1 or more.");
        double? target = Positive(result, _target) / 1e3;
        var warmUp = TimeSpan.FromSeconds(NotNegative(result, _warmUp));
        string model = result.GetValue(_model) ?? throw new UsageException("Give a model: an .onnx file, a QPC file, or a directory that holds programqpc.bin.");
        QaicOptions options = _session.Read(result, Named(result));
        using ToolLog log = _session.Log(result, _console);

        // Made now: that there is no place for the result is known before anything is measured.
        using WholeFile? file = result.GetValue(_output) is { } path ? new WholeFile(path) : null;
        using Session session = Session.CreateAsync(model, options, _session.Platform(result), log, cancellationToken).GetAwaiter().GetResult();
        IReadOnlyList<QaicDevice> devices = [.. session.Platform.GetDevices().Where(d => session.Options.DeviceIds.Contains(d.Id))];
        BenchInputs inputs = BenchInputs.Create(session, result.GetValue(_input) ?? [], result.GetValue(_seed), result.GetValue(_shapes));
        using var benchmark = new Benchmark(session, inputs, cancellationToken);
        DateTimeOffset at = DateTimeOffset.UtcNow;
        benchmark.WarmUp(warmUp, cancellationToken);
        if (result.GetValue(_findRate))
        {
            settings = settings with { Rate = FindRate(benchmark, settings, target!.Value, cancellationToken) };
        }

        Progress($"measuring {repetitions} × {(settings.Count is { } count ? $"{count} inferences" : $"{settings.Duration.TotalSeconds:0.###} s")}");
        var measured = new BenchResult(settings, benchmark.Repeat(settings, repetitions, Progress, cancellationToken))
        {
            ModelPath = model,
            ModelHash = BenchResult.HashOf(Directory.Exists(model) ? session.QpcPath : File.Exists(model) ? model : session.QpcPath),
            Options = session.Options,
            Platform = session.Platform.Name,
            IsSimulated = session.Platform.IsSimulated,
            Devices = devices,
            Inputs = inputs.Description,
            TargetLatency = target,
            At = at,
        };
        Show(result, measured, file);
        return Verdict(measured, repetitions, cancellationToken);
    }

    private void Show(ParseResult result, BenchResult measured, WholeFile? file)
    {
        if (result.GetValue(_json))
        {
            _console.WriteJson(measured.ToJson());
        }
        else
        {
            BenchReport.Write(measured, _console.Terminal);
        }

        if (file is not null)
        {
            file.Stream.Write(Encoding.UTF8.GetBytes(measured.ToJson().ToJsonString(s_json) + "\n"));
            file.Complete();
        }
    }

    private int Verdict(BenchResult measured, int repetitions, CancellationToken cancellationToken)
    {
        if (measured.Repetitions[^1].Failure is { } failure)
        {
            _console.Error.WriteLine($"error: after {measured.Repetitions.Sum(r => r.Completed)} inferences: {failure.Message}");
            return QaicTool.Failure;
        }

        if (cancellationToken.IsCancellationRequested)
        {
            _console.Error.WriteLine($"error: interrupted in repetition {measured.Repetitions.Count} of {repetitions}; what was measured until then is shown");
            return QaicTool.Interrupted;
        }

        return QaicTool.Success;
    }

    private double FindRate(Benchmark benchmark, LoadSettings settings, double target, CancellationToken cancellationToken)
    {
        Measurement busy = benchmark.Measure(new LoadSettings(LoadScenario.Offline, settings.Duration), cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        if (busy.Failure is { } failure)
        {
            throw failure;
        }

        Progress($"always busy: {BenchReport.Number(busy.InferenceRate)} requests/s");
        var search = new RateSearch(rate => benchmark.Measure(settings with { Rate = rate }, cancellationToken), target, Progress);
        return search.Find(busy.InferenceRate) is { } found ? found.Rate : throw new QaicException(
            QaicError.Timeout, $"No rate down to {BenchReport.Number(busy.InferenceRate / 100)} requests/s meets p99 {BenchReport.Number(target * 1e3)} ms. Compile for a smaller batch or more cores, or allow more.");
    }

    private LoadSettings Settings(ParseResult result)
    {
        LoadScenario scenario = result.GetValue(_scenario) switch
        {
            "single-stream" => LoadScenario.SingleStream,
            "server" => LoadScenario.Server,
            _ => LoadScenario.Offline,
        };
        double? duration = Positive(result, _duration);
        long? count = result.GetValue(_count);
        double? rate = Positive(result, _rate);
        bool isSearch = result.GetValue(_findRate);
        bool isPoisson = result.GetValue(_poisson);
        bool hasTarget = result.GetValue(_target) is not null;
        string? wrong = (duration, count) is (not null, not null) ? "--duration and --count exclude each other; give one."
            : count < 1 ? "--count must be 1 or more."
            : scenario != LoadScenario.Server && (rate is not null || isSearch || isPoisson || hasTarget) ? "--rate, --poisson, --find-rate and --target-latency are for --scenario server."
            : scenario == LoadScenario.Server && rate is null != isSearch ? "--scenario server takes either --rate, or --find-rate with --target-latency."
            : isSearch && !hasTarget ? "--find-rate needs --target-latency, in ms."
            : isSearch && count is not null ? "--find-rate measures for --duration at each rate; --count does not go with it."
            : null;
        return wrong is not null ? throw new UsageException(wrong) : new LoadSettings(scenario, count is null ? TimeSpan.FromSeconds(duration ?? DefaultSeconds) : TimeSpan.MaxValue)
        {
            Count = count,
            Rate = rate ?? double.NaN,
            PoissonSeed = isPoisson ? result.GetValue(_seed) : null,
        };
    }

    private IEnumerable<(string Name, string Text)> Named(ParseResult result)
    {
        if (result.GetValue(_activations) is { } activations)
        {
            yield return ("num_activations", activations.ToString(CultureInfo.InvariantCulture));
        }

        if (result.GetValue(_setSize) is { } setSize)
        {
            yield return ("set_size", setSize.ToString(CultureInfo.InvariantCulture));
        }
    }

    private void Progress(FormattableString line) => Progress(FormattableString.Invariant(line));

    private void Progress(string line) => _console.Error.WriteLine(line);

    // A year is more than anybody wants, and what is no number is not compared with one.
    private static double? Positive(ParseResult result, Option<double?> option) =>
        result.GetValue(option) is not { } value ? null : value is > 0 and <= 31_536_000 ? value : throw new UsageException($"{option.Name} must be a number above 0.");

    private static double NotNegative(ParseResult result, Option<double> option) =>
        result.GetValue(option) is >= 0 and <= 31_536_000 and var value ? value : throw new UsageException($"{option.Name} must be 0 or more.");
}
