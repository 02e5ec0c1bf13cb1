// The examples of the vendor's page on the python package `qaic`, section by section, in C#. The python lines stand above the C# ones.
using Qaic;
using SessionSample;

string data = Path.Combine(AppContext.BaseDirectory, "data");
string model = Path.Combine(data, "digits_cnn.onnx");
(Tensor images, int[] labels) = Digits.Read(Path.Combine(data, "digits_test.csv"), count: 8);
string work = Directory.CreateTempSubdirectory("qaic-session-sample-").FullName;
Directory.SetCurrentDirectory(work);
int right = 0;

Section("Option 1: compiles the onnx file to generate QPC and sets up session for inference");
// sess = qaic.Session('/path/to/model/model.onnx')
// output = sess.run({'input_name': input_data})
var eightRows = new QaicOptions { BatchSize = 8, OutputDirectory = "digits_qpc" };
using (var sess = new Session(model, eightRows))
{
    var output = sess.Run(new Dictionary<string, Tensor> { ["image"] = images });
    Console.WriteLine($"on the {sess.Platform.Name}, from {Path.GetRelativePath(work, sess.QpcPath)}");
    Console.WriteLine($"logits {output["logits"]}: {Show(output["logits"])}");
}

Section("Option 2: uses generated QPC and sets up session for inference");
// sess = qaic.Session('/path/to/model/qpc.bin')
using (var sess = new Session(Path.Combine("digits_qpc", "programqpc.bin")))
{
    var output = sess.Run(new Dictionary<string, Tensor> { ["image"] = images });
    Console.WriteLine($"logits {output["logits"]}: {Show(output["logits"])}");
}

Section("Using options_path yaml file");
// sess = qaic.Session('/path/to/model', options_path = '/path/to/options.yaml')
using (var sess = new Session(model, QaicOptions.FromYaml(Path.Combine(AppContext.BaseDirectory, "options.yaml"))))
{
    var output = sess.Run(new Dictionary<string, Tensor> { ["image"] = images });
    Console.WriteLine($"{Path.GetRelativePath(work, sess.QpcPath)}, {sess.Options.NumCores} cores");
    Console.WriteLine($"logits {output["logits"]}: {Show(output["logits"])}");
}

Section("Using keyword args");
// sess = qaic.Session('/path/to/model_qpc/*.bin', num_activations=4, set_size=10)
var keywords = new Dictionary<string, object?> { ["num_activations"] = 4, ["set_size"] = 10 };
using (var sess = new Session("digits_qpc", keywords))
{
    var output = sess.Run(new Dictionary<string, Tensor> { ["image"] = images });
    Console.WriteLine($"up to {sess.MaxInFlight} inferences in flight");
    Console.WriteLine($"logits {output["logits"]}: {Show(output["logits"])}");

    Section("backend_options(), update_backend_options()");
    // backend_options_dict = session.backend_options()
    Console.WriteLine(Show(sess.BackendOptions()));
    // session.update_backend_options(num_activations=2)
    sess.UpdateBackendOptions(new Dictionary<string, object?> { ["num_activations"] = 2 });
    Console.WriteLine(Show(sess.BackendOptions()));

    Section("model_input_shape_dict(), model_output_shape_dict()");
    Console.WriteLine(string.Join(", ", sess.ModelInputShapeDict().Values));
    Console.WriteLine(string.Join(", ", sess.ModelOutputShapeDict().Values));

    Section("setup(), reset()");
    // Loads the network to the device; the first run does it otherwise.
    sess.Setup();
    Console.WriteLine($"set up: {sess.Platform.GetDevices()[0]}");
    // Releases all the device resources acquired by the session; the next run takes them again.
    sess.Reset();
    Console.WriteLine($"reset:  {sess.Platform.GetDevices()[0]}");
}

Section("Benchmarking");
// inf_completed, inf_rate, inf_time, batch_size = sess.run_benchmark()
using (var sess = new Session("digits_qpc"))
{
    (long completed, double rate, TimeSpan time, int batchSize) = sess.RunBenchmark();
    Console.WriteLine($"inf_completed {completed}, inf_rate {rate:F0}/s, inf_time {time.TotalSeconds:F6} s, batch_size {batchSize}");
    (completed, rate, time, batchSize) = sess.RunBenchmark(infTime: TimeSpan.FromSeconds(0.2));
    Console.WriteLine($"inf_completed {completed}, inf_rate {rate:F0}/s, inf_time {time.TotalSeconds:F6} s, batch_size {batchSize}");
}

Section("get_metrics(), print_metrics()");
using (var sess = new Session("digits_qpc", new QaicOptions { EnableMetrics = true }))
{
    for (int i = 0; i < 1000; i++)
    {
        sess.Run(new Dictionary<string, Tensor> { ["image"] = images });
    }

    sess.PrintMetrics();
    Console.WriteLine(Show(sess.GetMetrics().ToDictionary()));
}

Section("print_profile_data(n)");
using (var sess = new Session("digits_qpc", new QaicOptions { EnableProfiling = true }))
{
    for (int i = 0; i < 10; i++)
    {
        sess.Run(new Dictionary<string, Tensor> { ["image"] = images });
    }

    sess.PrintProfileData(2);
    sess.GetProfile().WriteChromeTrace("trace.json");
    Console.WriteLine($"trace.json for chrome://tracing or ui.perfetto.dev: {new FileInfo("trace.json").Length} bytes");
}

Section("What python lacks: any number of rows, async, streams");
using (var sess = new Session("digits_qpc"))
{
    (Tensor all, int[] expected) = Digits.Read(Path.Combine(data, "digits_test.csv"), count: 597);
    // 597 rows through a network of eight: split, padded, and put together again.
    var output = await sess.RunAsync(new Dictionary<string, Tensor> { ["image"] = all });
    right = Digits.Right(output["logits"], expected);
    Console.WriteLine($"{right} of {expected.Length} digits recognised");

    await foreach ((long index, IReadOnlyDictionary<string, Tensor> outputs) in sess.RunStreamAsync(Enumerable.Repeat(new Dictionary<string, Tensor> { ["image"] = images }, 100)))
    {
        if (index == 99)
        {
            Console.WriteLine($"result #{index} of a stream: {Show(outputs["logits"])}");
        }
    }
}

Directory.SetCurrentDirectory(AppContext.BaseDirectory);
Directory.Delete(work, recursive: true);
return right >= 590 ? 0 : 1;

string Show(object value) => value switch
{
    Tensor logits => $"digits {string.Join(' ', Digits.Classes(logits))}, expected {string.Join(' ', labels)}",
    IReadOnlyDictionary<string, object> options => string.Join(", ", options.Select(o => $"{o.Key}: {o.Value}")),
    IReadOnlyDictionary<string, double> metrics => string.Join(", ", metrics.Select(m => $"{m.Key}: {m.Value:G6}")),
    _ => value.ToString()!,
};

static void Section(string title) => Console.WriteLine($"\n--- {title}");
