using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Qaic.Cli.Data;
using Qaic.Compilation;
using Qaic.OnnxRuntime;
using Qaic.OnnxRuntime.Accuracy;
using Qaic.Options;
using Qaic.Quantization;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic calibrate</c>: data through a model, for quantization.</summary>
internal static class CalibrateCommand
{
    // What a profile is made with, and what turns it into scales.
    private static readonly string[] s_options =
    [
        "batch_size", "onnx_define_symbol", "num_histogram_bins", "profiling_threads", "node_precision_info_file", "quantization_schema_activations", "quantization_schema_constants", "quantization_calibration",
        "percentile_calibration_value", "quantization_precision_bias", "enable_rowwise", "enable_channelwise", "execute_nodes_in_fp16", "keep_original_precision_for_nodes",
    ];

    public static Command Create(ToolConsole console)
    {
        var model = new Argument<string>("model") { Description = "The .onnx file, in floating point." };
        var inputs = new Option<string[]>("--input", "-i") { Description = "Data of an input: .npy, .csv or raw elements, any number of rows. Repeatable.", HelpName = "name=file", Arity = ArgumentArity.OneOrMore };
        var list = new Option<string>("--input-list") { Description = "The vendor's list: per line the files of the inputs in the model's order, separated by commas. Any number of rows per line.", HelpName = "file" };
        var output = new Option<string>("--output", "-o") { Description = "Receives the profile, for --load-profile.", HelpName = "profile.yaml", DefaultValueFactory = _ => "profile.yaml" };
        var encodings = new Option<string>("--encodings") { Description = "Receives the scales that the profile gives with these options, as AIMET encodings, JSON or YAML.", HelpName = "file" };
        var report = new Option<string>("--report") { Description = "Receives a web page that compares the INT8 network with float32 on one row in five, which are held out of its profile.", HelpName = "report.html" };
        var sweep = new Option<bool>("--sweep") { Description = "Try every calibration on rows held out, and tell which is best." };
        var json = new Option<bool>("--json") { Description = "JSON for machines." };
        var command = new Command("calibrate", "Runs data through a model and keeps the range and a histogram of every tensor: what a network is quantized with.") { model, inputs, list, output, encodings, report, sweep, json };
        var session = SessionOptions.AddTo(command);
        var table = TableOptions.AddTo(command, OptionTable.All.Where(o => s_options.Contains(o.Keyword)));
        command.SetAction((result, token) => Task.Run(
            async () =>
            {
                ToolLog log = session.Log(result, console);
                QaicOptions options = session.Read(result, table.Read(result));
                string path = result.GetRequiredValue(model);
                string[] files = result.GetValue(inputs) ?? [];
                string? listed = result.GetValue(list);
                if (files.Length > 0 == listed is not null)
                {
                    throw new UsageException(listed is null ? "There is no data to calibrate with. Add --input name=file for each input, or --input-list file." : "--input and --input-list exclude each other: both are the data. Leave one out.");
                }

                InputFiles reader = await Reader(path, options, log, token).ConfigureAwait(false);
                IEnumerable<IReadOnlyDictionary<string, Tensor>> Samples() => listed is null ? [reader.Load(files)] : reader.LoadList(listed);
                Platform platform = session.Platform(result) ?? Platform.Select(options.Backend, log);
                long rows = 0;
                QuantizationProfile profile = WithData(() => console.Progress($"Profiling {Path.GetFileName(path)}", tell => platform.Profile(
                    path, Samples(), options, new Teller<ProfilingProgress>(p =>
                    {
                        rows = p.Samples;
                        tell(string.Create(CultureInfo.InvariantCulture, $"{p.Samples} rows, {p.Tensors} tensors"));
                    }),
                    log,
                    token)));
                string target = result.GetRequiredValue(output);
                profile.Save(target);
                var written = new List<string> { target };
                if (result.GetValue(encodings) is { } encodingsFile)
                {
                    ProfileEncodings.Of(path, profile, options, log).Save(encodingsFile);
                    written.Add(encodingsFile);
                }

                (AccuracyReport? accuracy, CalibrationSweep? best) = (null, null);
                if (result.GetValue(report) is not null || result.GetValue(sweep))
                {
                    AccuracyData data = Split([.. Samples().SelectMany(reader.Rows)]);
                    QaicOptions int8 = options with { ConvertToQuantize = true };
                    accuracy = result.GetValue(report) is null ? null : console.Progress(
                        "Comparing with float32:", tell => AccuracyReport.Evaluate(path, data, [new AccuracyVariant("INT8", int8)], log, new Teller<AccuracyProgress>(p => tell(p.Step)), token));
                    best = !result.GetValue(sweep) ? null : console.Progress(
                        "Trying calibrations:", tell => CalibrationSweep.Run(path, data, int8, null, log, new Teller<AccuracyProgress>(p => tell(p.Step)), token));
                }

                if (accuracy is not null)
                {
                    accuracy.SaveHtml(result.GetValue(report)!);
                    written.Add(result.GetValue(report)!);
                }

                Show(console, profile, rows, written, accuracy, best, log, result.GetValue(json));
                return QaicTool.Success;
            },
            CancellationToken.None));
        return command;
    }

    // That samples are not as they should be is a fault of the files.
    private static T WithData<T>(Func<T> profile)
    {
        try
        {
            return profile();
        }
        catch (ArgumentException e)
        {
            throw new IOException($"The data cannot be profiled. {e.Message}", e);
        }
    }

    // The inputs in the shapes of a profile are those of the float network.
    private static async Task<InputFiles> Reader(string model, QaicOptions options, ToolLog log, CancellationToken cancellationToken)
    {
        QaicOptions shapes = QaicOptions.Default with
        {
            BatchSize = options.BatchSize,
            OnnxDefineSymbol = options.OnnxDefineSymbol,
            UseCache = options.UseCache,
            CacheDirectory = options.CacheDirectory,
            Backend = QaicBackend.Simulated,
        };
        if (!Path.GetExtension(model).Equals(".onnx", StringComparison.OrdinalIgnoreCase))
        {
            throw new UsageException($"'{model}' is no .onnx file. Profiles are made of models, not of compiled networks.");
        }

        using Session network = await Session.CreateAsync(model, shapes, loggerFactory: log, cancellationToken: cancellationToken).ConfigureAwait(false);
        return InputFiles.Of(network);
    }

    private static AccuracyData Split(IReadOnlyList<IReadOnlyDictionary<string, Tensor>> rows) => rows.Count >= CalibrationSweep.HeldOutEvery
        ? new AccuracyData([.. rows.Where((_, i) => i % CalibrationSweep.HeldOutEvery != 0)], [.. rows.Where((_, i) => i % CalibrationSweep.HeldOutEvery == 0)])
        : throw new UsageException($"There are {rows.Count} rows, and of {CalibrationSweep.HeldOutEvery} one is held out to compare on. Give more rows for --report and --sweep.");

    private static void Show(
        ToolConsole console, QuantizationProfile profile, long rows, IReadOnlyList<string> written, AccuracyReport? accuracy, CalibrationSweep? best, ToolLog log, bool isJson)
    {
        if (isJson)
        {
            console.WriteJson(new JsonObject
            {
                ["rows"] = rows,
                ["tensors"] = profile.Tensors.Count,
                ["files"] = new JsonArray([.. written.Select(f => (JsonNode)f)]),
                ["best"] = best?.Best.Name,
                ["reason"] = best?.Reason,
                ["warnings"] = new JsonArray([.. log.Warnings.Select(w => (JsonNode)w)]),
            });
            return;
        }

        if (accuracy is not null)
        {
            console.Output.WriteLine(accuracy.ToText());
        }

        if (best is not null)
        {
            console.Output.WriteLine(best);
        }

        console.Output.WriteLine($"{rows} rows through {profile.Tensors.Count} tensors: {string.Join(", ", written)}");
    }

    // Tells at once and in order, which Progress<T> does not.
    private sealed class Teller<T>(Action<T> tell) : IProgress<T>
    {
        public void Report(T value) => tell(value);
    }
}
