using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Engine;
using Qaic.Qpc;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Conformance;

/// <summary>ONNX's own backend tests, through compiler, QPC and session. What plain ONNX Runtime does right must come out right here, unless a card could not carry it.</summary>
[TestClass]
public sealed class ConformanceTests
{
    private static readonly Platform s_platform = Platform.Simulated();

    public required TestContext TestContext { get; set; }

    private enum Outcome
    {
        Passed,

        // Documented: a type or kind that no buffer of a card carries.
        Type,

        // Documented: an output whose size is not known before the model runs.
        DynamicOutput,

        // Documented: a symbol that is 0 in the data; options give symbols 1 or more.
        ZeroSymbol,

        // Plain ONNX Runtime fails as well.
        OnnxRuntime,

        Failed,
    }

    [TestMethod]
    public void What_ONNX_Runtime_does_right_is_right_on_the_simulated_card()
    {
        if (!Directory.Exists(ConformanceCase.Root))
        {
            Assert.Inconclusive($"ONNX's backend tests are not at {ConformanceCase.Root}. Install them: apt-get install libonnx-testdata.");
        }

        var results = new List<(string Case, Outcome Outcome, string Reason)>();
        foreach (string line in File.ReadLines(Repository.Data("conformance-index.csv")).Skip(1))
        {
            var test = new ConformanceCase(ConformanceCase.Root, line[..line.IndexOf(',', StringComparison.Ordinal)]);
            (Outcome outcome, string reason) = Try(test);
            results.Add((test.Name, outcome, reason));
        }

        TestContext.WriteLine(Table(results));
        Assert.AreEqual("", string.Join('\n', results.Where(r => r.Outcome == Outcome.Failed).Select(r => $"{r.Case}: {r.Reason}")));

        // A test that runs hardly anything would prove hardly anything.
        Assert.IsGreaterThan(800, results.Count(r => r.Outcome == Outcome.Passed));
    }

    private static (Outcome Outcome, string Reason) Try(ConformanceCase test)
    {
        OnnxModel model = test.Model();
        OnnxTensor[] all = [.. model.Inputs, .. model.Outputs];
        bool hasForeignType = Array.Exists(all, t => t.Kind != "tensor" || OnnxTypes.BufferType(t.DataType) is null);
        try
        {
            return Run(test, model) is { } difference ? Fault(difference) : hasForeignType ? (Outcome.Failed, "a foreign type was accepted") : (Outcome.Passed, "");
        }
        catch (CompilationException e) when (hasForeignType)
        {
            OnnxTensor foreign = all.First(t => t.Kind != "tensor" || OnnxTypes.BufferType(t.DataType) is null);
            return (Outcome.Type, e.Message.Contains($"'{foreign.Name}'", StringComparison.Ordinal) ? foreign.Kind == "tensor" ? OnnxTypes.Name(foreign.DataType) : foreign.Kind : $"without its name: {e.Message}");
        }
        catch (CompilationException e) when (e.Message.Contains("its size is not known", StringComparison.Ordinal))
        {
            return DynamicOutputs.Cases.Contains(test.Name) ? (Outcome.DynamicOutput, "") : Fault(e.Message);
        }
        catch (ArgumentOutOfRangeException e) when (e.ParamName == nameof(QaicOptions.OnnxDefineSymbol))
        {
            return (Outcome.ZeroSymbol, e.Message);
        }
        catch (Exception e) when (e is CompilationException or OnnxRuntimeException or NotSupportedException)
        {
            return Fault(e.Message);
        }

        // The oracle: the unmodified model on plain ONNX Runtime.
        (Outcome, string) Fault(string reason) => Direct(test) is { } alsoWrong ? (Outcome.OnnxRuntime, alsoWrong) : (Outcome.Failed, reason);
    }

    // Null if all outputs of all sets are right.
    private static string? Run(ConformanceCase test, OnnxModel model)
    {
        foreach ((RawTensor[] inputs, RawTensor[] outputs) in test.Sets())
        {
            using var session = new Session(test.ModelPath, OptionsFor(model, inputs), s_platform);
            using Inference inference = session.Rent();
            for (int i = 0; i < session.Inputs.Count; i++)
            {
                inputs[i].Bytes.CopyTo(inference.InputBytes(i));
            }

            inference.Submit();
            inference.Wait();
            using var qpc = QpcFile.Open(session.QpcPath);
            List<NetworkBinding> bindings = qpc.ReadNetworkDescriptor().Outputs;
            for (int i = 0; i < bindings.Count; i++)
            {
                List<int> dims = bindings[i].Initial.Dims;
                int type = session.Outputs[i].IsBoolean ? Onnx.Graphs.Bool : DataType(bindings[i].Initial.Type);
                byte[] bytes = dims.Contains(0) ? [] : inference.OutputBytes(i).ToArray();
                if (ConformanceCase.Difference(outputs[i], type, dims.Select(d => (long)d), bytes) is { } difference)
                {
                    return $"{bindings[i].Name}: {difference}";
                }
            }
        }

        return null;
    }

    // Free dimensions get the lengths that the data has.
    private static QaicOptions OptionsFor(OnnxModel model, RawTensor[] inputs)
    {
        var symbols = ImmutableDictionary.CreateBuilder<string, int>();
        int? batch = null;
        for (int i = 0; i < model.Inputs.Count; i++)
        {
            for (int axis = 0; axis < (model.Inputs[i].Shape?.Count ?? 0); axis++)
            {
                OnnxDimension dimension = model.Inputs[i].Shape![axis];
                if (dimension.Symbol is { } symbol)
                {
                    symbols[symbol] = (int)inputs[i].Dims[axis];
                }
                else if (dimension.IsFree && axis == 0)
                {
                    batch = (int)inputs[i].Dims[0];
                }
            }
        }

        return new QaicOptions { OnnxDefineSymbol = symbols.ToImmutable(), BatchSize = batch };
    }

    private static string? Direct(ConformanceCase test)
    {
        try
        {
            // Errors come as exceptions; there is no need to print them as well.
            using var quiet = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
            using var session = new InferenceSession(test.ModelPath, quiet);
            foreach ((RawTensor[] inputs, RawTensor[] expected) in test.Sets())
            {
                OrtValue[] values = [.. inputs.Select(Value)];
                using var options = new RunOptions();
                using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(options, [.. session.InputNames.Take(values.Length)], values, session.OutputNames);
                for (int i = 0; i < expected.Length; i++)
                {
                    OrtTensorTypeAndShapeInfo info = outputs[i].GetTensorTypeAndShape();
                    if (ConformanceCase.Difference(expected[i], (int)info.ElementDataType, info.Shape, outputs[i].GetTensorMutableRawData().ToArray()) is { } difference)
                    {
                        return $"output {i}: {difference}";
                    }
                }
            }

            return null;
        }
        catch (OnnxRuntimeException e)
        {
            return e.Message;
        }
    }

    private static OrtValue Value(RawTensor tensor)
    {
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, (TensorElementType)tensor.DataType, tensor.Dims);
        if (tensor.Bytes.Length > 0)
        {
            tensor.Bytes.CopyTo(value.GetTensorMutableRawData());
        }

        return value;
    }

    private static int DataType(ElementType type) => Enumerable.Range(1, 16).First(t => t != Onnx.Graphs.Bool && OnnxTypes.BufferType(t) == type);

    private static string Table(List<(string Case, Outcome Outcome, string Reason)> results)
    {
        var text = new List<string>();
        foreach (var folder in results.GroupBy(r => r.Case[..r.Case.IndexOf('/', StringComparison.Ordinal)]))
        {
            text.Add($"{folder.Key,-18} {folder.Count(),5} cases: {string.Join(", ", folder.GroupBy(r => r.Outcome).OrderBy(g => g.Key).Select(g => $"{g.Count()} {g.Key}"))}");
        }

        text.Add($"{"all",-18} {results.Count,5} cases: {string.Join(", ", results.GroupBy(r => r.Outcome).OrderBy(g => g.Key).Select(g => $"{g.Count()} {g.Key}"))}");
        foreach (var reason in results.Where(r => r.Outcome == Outcome.Type).GroupBy(r => r.Reason).OrderByDescending(g => g.Count()))
        {
            text.Add($"  type: {reason.Key,-16} {reason.Count(),4}");
        }

        foreach ((string name, Outcome outcome, string reason) in results.Where(r => r.Outcome is not (Outcome.Passed or Outcome.Type)))
        {
            text.Add($"  {outcome}: {name} {reason.ReplaceLineEndings(" ")}");
        }

        return string.Join('\n', text);
    }
}
