using System.Globalization;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Options;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary>The sets of shapes of a model that is compiled for several: one per specialization, each with its outputs.</summary>
/// <param name="Inputs">The inputs, each in its largest shape.</param>
/// <param name="Outputs">The outputs, each in its largest shape.</param>
/// <param name="Sets">All tensors of each set, inputs first, in the order of the specializations.</param>
/// <param name="RowsInteract">Whether rows of a batch that nobody asked for influence each other; then nothing else counts.</param>
/// <remarks>
/// Each set is worked out on a copy of the model in which everything is fixed, so that it is checked as strictly as a network of that one shape. The model that runs keeps the
/// symbols of dimensions that differ; the others are fixed in it, which lets ONNX Runtime optimise as much as it can.
/// </remarks>
internal sealed record SpecializedShapes(IReadOnlyList<OrtTensor> Inputs, IReadOnlyList<OrtTensor> Outputs, IReadOnlyList<IReadOnlyList<OrtTensor>> Sets, bool RowsInteract)
{
    // What ONNX Runtime finds out about a model of fixed inputs.
    public delegate (IReadOnlyList<OrtTensor> Inputs, IReadOnlyList<OrtTensor> Outputs, bool RowsInteract) Inference(OnnxModel model, long? assumedBatch);

    /// <summary>Works out every set, and gives the model the dimensions that all sets agree on.</summary>
    /// <param name="model">The model. Its weights have been moved out of it, as it is copied for each set.</param>
    /// <param name="config">The specializations.</param>
    /// <param name="options">Symbols that are the same in all sets may be defined here.</param>
    /// <param name="infer">Loads a model.</param>
    /// <exception cref="CompilationException">A specialization does not fit the model, or two of them give the same shapes.</exception>
    public static SpecializedShapes Infer(OnnxModel model, SpecializationConfig config, QaicOptions options, Inference infer)
    {
        byte[] bytes = model.ToBytes();
        var sets = new List<IReadOnlyList<OrtTensor>>();
        for (int i = 0; i < config.Entries.Length; i++)
        {
            Specialization entry = config.Entries[i];
            try
            {
                OnnxModel copy = OnnxModel.Parse(bytes, model.Source);
                var shapes = ShapeBinding.Fix(copy, Define(copy, entry, options));
                (IReadOnlyList<OrtTensor> inputs, IReadOnlyList<OrtTensor> outputs, bool rowsInteract) = infer(copy, shapes.AssumedBatch);
                if (rowsInteract)
                {
                    return new SpecializedShapes(inputs, outputs, [], true);
                }

                foreach (OrtTensor output in outputs)
                {
                    shapes.Confirm(output.Name, output.Shape);
                }

                CheckNew(sets, [.. inputs, .. outputs], inputs.Count, config);
                sets.Add([.. inputs, .. outputs]);
            }
            catch (CompilationException e)
            {
                throw new CompilationException($"Specialization {i} {entry}: {e.Message}", e);
            }
        }

        OrtTensor[] largest = [.. Enumerable.Range(0, sets[0].Count).Select(b => sets.Select(s => s[b]).MaxBy(t => t.Shape.Aggregate(1m, (count, dim) => count * Math.Max(dim, 1)))!)];
        int inputCount = model.Inputs.Count;
        for (int b = 0; b < largest.Length; b++)
        {
            OnnxTensor tensor = b < inputCount ? model.Inputs[b] : model.Outputs[b - inputCount];
            IReadOnlyList<OnnxDimension>? declared = tensor.Shape;
            tensor.SetType(largest[b].DataType, largest[b].Shape);
            tensor.SetShape([.. largest[b].Shape.Select((dim, axis) =>
                sets.All(s => s[b].Shape[axis] == dim) ? new OnnxDimension(dim, null)
                : new OnnxDimension(null, declared?.Count == largest[b].Shape.Length ? declared[axis].Symbol : null))]);
        }

        return new SpecializedShapes(largest[..inputCount], largest[inputCount..], sets, false);
    }

    /// <summary>The options with the symbols of the largest set: the shapes in which data is profiled.</summary>
    /// <exception cref="CompilationException">The specialization does not fit the model.</exception>
    public static QaicOptions DefineLargest(OnnxModel model, SpecializationConfig config, QaicOptions options) =>
        Define(model, config.Entries.MaxBy(e => e.Symbols.Values.Aggregate(1m, (product, length) => product * length))!, options);

    private static QaicOptions Define(OnnxModel model, Specialization entry, QaicOptions options)
    {
        string[] known = [.. ShapeBinding.Symbols(model.Inputs.Concat(model.Outputs))];
        if (entry.Symbols.Keys.FirstOrDefault(s => !known.Contains(s)) is { } unknown)
        {
            string list = known.Length == 0 ? "It has none: all its dimensions are fixed or unnamed." : $"It has: {string.Join(", ", known.Select(k => $"'{k}'"))}.";
            string hint = Spelling.Nearest(unknown, known) is { } nearest ? $" Did you mean '{nearest}'?" : "";
            throw new CompilationException($"'{model.Source}' has no symbol '{unknown}'. {list}{hint}");
        }

        foreach ((string symbol, int length) in entry.Symbols)
        {
            if (options.OnnxDefineSymbol.TryGetValue(symbol, out int other) && other != length)
            {
                throw new CompilationException($"'{symbol}' is {length} here and {other} in OnnxDefineSymbol (onnx_define_symbol). Define it in one place.");
            }
        }

        // A batch that is free has a length without being asked for one.
        ShapeBinding.HasFreeBatch(model, options.BatchSize is not null, out string? batch);
        string[] missing = [.. ShapeBinding.Symbols(model.Inputs).Where(s => s != batch && !entry.Symbols.ContainsKey(s) && !options.OnnxDefineSymbol.ContainsKey(s))];
        return missing.Length == 0
            ? options with { OnnxDefineSymbol = options.OnnxDefineSymbol.SetItems(entry.Symbols) }
            : throw new CompilationException(
                $"it gives no length to {string.Join(", ", missing.Select(s => $"'{s}'"))} of '{model.Source}' (inputs: {string.Join("; ", model.Inputs)}). "
                + "Every specialization defines every symbol; what is the same in all may stand in OnnxDefineSymbol (onnx_define_symbol) instead.");
    }

    private static void CheckNew(List<IReadOnlyList<OrtTensor>> sets, OrtTensor[] tensors, int inputs, SpecializationConfig config)
    {
        for (int other = 0; other < sets.Count; other++)
        {
            if (sets[other].Take(inputs).Zip(tensors).All(p => p.First.Shape.SequenceEqual(p.Second.Shape)))
            {
                throw new CompilationException(
                    string.Create(CultureInfo.InvariantCulture, $"the inputs have the same shapes as in specialization {other} {config.Entries[other]}, so nothing would tell which is meant. Leave one of them out."));
            }

            if (sets[other].Zip(tensors).FirstOrDefault(p => p.First.Shape.Length != p.Second.Shape.Length) is { First: { } first, Second: { } second })
            {
                throw new CompilationException($"'{second}' has another number of dimensions than in specialization {other}, '{first}'. All sets have to agree on it.");
            }
        }
    }
}
