using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Options;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary>Gives every open dimension of a model's inputs a length. A card's networks have fixed shapes.</summary>
internal sealed class ShapeBinding
{
    /// <summary>Rows per inference of a model that leaves them open, unless the options say otherwise.</summary>
    public const int DefaultBatchSize = 32;

    private readonly OnnxModel _model;
    private readonly string? _batchSymbol;

    // The batch size, if it was chosen without being asked for; outputs then have to confirm that it is one.
    private readonly long? _assumedBatch;

    // Lengths that the options give to symbols of outputs.
    private readonly List<(string Output, int Axis, string Symbol, long Length)> _expected;

    private ShapeBinding(OnnxModel model, string? batchSymbol, long? assumedBatch, List<(string Output, int Axis, string Symbol, long Length)> expected)
    {
        (_model, _batchSymbol, _assumedBatch, _expected) = (model, batchSymbol, assumedBatch, expected);
    }

    /// <summary>Rows of a batch that nobody asked for; null if somebody did, or there is none.</summary>
    public long? AssumedBatch => _assumedBatch;

    /// <summary>Fixes the shapes of inputs, and of outputs as far as they use the inputs' symbols.</summary>
    /// <exception cref="CompilationException">A dimension has no length, or an option does not fit the model.</exception>
    public static ShapeBinding Fix(OnnxModel model, QaicOptions options)
    {
        foreach (OnnxTensor input in model.Inputs)
        {
            if (input.Shape is null)
            {
                throw new CompilationException($"Input '{input.Name}' of '{model.Source}' has no shape, not even a number of dimensions. Declare its shape in the model; dimensions may be symbols.");
            }
        }

        CheckDefinedSymbols(model, options);
        var lengths = new Dictionary<string, long>(options.OnnxDefineSymbol.Select(s => KeyValuePair.Create(s.Key, (long)s.Value)), StringComparer.Ordinal);
        bool hasBatch = HasFreeBatch(model, isAskedFor: options.BatchSize is not null, out string? symbol);
        bool isDefined = symbol is not null && lengths.ContainsKey(symbol);
        long batch = isDefined ? lengths[symbol!] : options.BatchSize ?? DefaultBatchSize;
        if (!hasBatch && options.BatchSize is { } rows)
        {
            CheckFixedBatch(model, rows);
        }

        if (hasBatch && symbol is not null)
        {
            lengths[symbol] = batch;
        }

        model.ForgetInnerShapes();
        HashSet<string> inputSymbols = [.. Symbols(model.Inputs)];
        foreach (OnnxTensor input in model.Inputs)
        {
            input.SetShape(input.Shape!.Select((dimension, axis) => new OnnxDimension(Length(input, dimension, axis), null)));
        }

        // The same symbol is the same length. Others are results of the computation, which ONNX Runtime works out.
        var expected = new List<(string, int, string, long)>();
        foreach (OnnxTensor output in model.Outputs.Where(o => o.Shape is not null))
        {
            expected.AddRange(output.Shape!.Select((d, axis) => (d, axis))
                .Where(p => p.d.Symbol is { } s && lengths.ContainsKey(s))
                .Select(p => (output.Name, p.axis, p.d.Symbol!, lengths[p.d.Symbol!])));
            output.SetShape(output.Shape!.Select(d => new OnnxDimension(d.Symbol is { } s && inputSymbols.Contains(s) ? lengths[s] : d.Value, null)));
        }

        return new ShapeBinding(model, symbol, hasBatch && !isDefined && options.BatchSize is null ? batch : null, expected);

        long Length(OnnxTensor input, OnnxDimension dimension, int axis)
        {
            long length = dimension.Value
                ?? (dimension.Symbol is { } s ? lengths.TryGetValue(s, out long defined) ? defined : throw MissingSymbol(model, input, s)
                : axis == 0 && hasBatch ? batch
                : throw new CompilationException(
                    $"Input '{input}' of '{model.Source}': dimension {axis} has neither a length nor a name, so no option can give it one. "
                    + "Give it a length or a symbol in the model, then define the symbol with OnnxDefineSymbol (onnx_define_symbol)."));
            return length <= int.MaxValue ? length : throw new CompilationException($"Input '{input}' of '{model.Source}': dimension {axis} is {length}, more than a card's buffer can have.");
        }
    }

    /// <summary>Checks that an output's symbols have the lengths they were given, and that what was taken for the batch leads it.</summary>
    /// <exception cref="CompilationException">The computed shape says otherwise.</exception>
    public void Confirm(string output, IReadOnlyList<int> shape)
    {
        foreach ((string name, int axis, string symbol, long length) in _expected)
        {
            // The batch has a message of its own, below.
            if (name == output && (_assumedBatch is null || symbol != _batchSymbol) && (axis >= shape.Count || shape[axis] != length))
            {
                throw new CompilationException(
                    $"Output '{output}' of '{_model.Source}' declares dimension {axis} as '{symbol}', which is {length}, but its shape comes out as [{string.Join(", ", shape)}]. "
                    + "Correct the value of the symbol, or the model.");
            }
        }

        if (_assumedBatch is { } batch && (shape.Count == 0 || shape[0] != batch))
        {
            string what = _batchSymbol is { } symbol ? $"symbol '{symbol}'" : "unnamed dimension";
            string how = _batchSymbol is { } name ? $"{Example(name)}, or BatchSize (batch_size)" : "BatchSize (batch_size), for example 1";
            throw new CompilationException(
                $"The {what} leads every input of '{_model.Source}', but with {batch} for it output '{output}' has the shape [{string.Join(", ", shape)}], "
                + $"so it is no batch that can be chosen freely. Say how long it is: {how}.");
        }
    }

    public static IEnumerable<string> Symbols(IEnumerable<OnnxTensor> tensors) => tensors.SelectMany(t => t.Shape ?? []).Select(d => d.Symbol).OfType<string>().Distinct();

    private static void CheckDefinedSymbols(OnnxModel model, QaicOptions options)
    {
        string[] known = [.. Symbols(model.Inputs.Concat(model.Outputs))];
        foreach (string symbol in options.OnnxDefineSymbol.Keys.Order(StringComparer.Ordinal))
        {
            if (known.Contains(symbol))
            {
                continue;
            }

            string list = known.Length == 0 ? "It has none: all its dimensions are fixed or unnamed." : $"It has: {string.Join(", ", known.Select(k => $"'{k}'"))}.";
            string hint = Spelling.Nearest(symbol, known) is { } nearest ? $" Did you mean '{nearest}'?" : "";
            throw new CompilationException($"OnnxDefineSymbol (onnx_define_symbol) defines '{symbol}', but '{model.Source}' has no such symbol. {list}{hint}");
        }
    }

    // A batch is a dimension that leads every input, whose symbol is nowhere else among them, and that no declared output contradicts.
    public static bool HasFreeBatch(OnnxModel model, bool isAskedFor, out string? symbol)
    {
        symbol = null;
        if (model.Inputs.Count == 0 || !model.Inputs.All(i => i.Shape is [{ IsFree: true }, ..]))
        {
            return false;
        }

        string[] leading = [.. model.Inputs.Select(i => i.Shape![0].Symbol).OfType<string>().Distinct()];
        string[] inner = [.. model.Inputs.SelectMany(i => i.Shape!.Skip(1)).Select(d => d.Symbol).OfType<string>()];
        if (leading.Length > 1 || leading.Any(inner.Contains))
        {
            return false;
        }

        // Who gives the batch size knows that there is one. Exporters often give outputs symbols of their own, so only a contradiction counts.
        bool isContradicted = !isAskedFor && model.Outputs.Any(o => o.Shape is [] or [{ IsFree: false }, ..] || (o.Shape is [{ Symbol: { } other }, ..] && inner.Contains(other)));
        symbol = isContradicted ? null : leading.SingleOrDefault();
        return !isContradicted;
    }

    private static void CheckFixedBatch(OnnxModel model, int rows)
    {
        long?[] leading = [.. model.Inputs.Select(i => i.Shape is [{ Value: { } length }, ..] ? length : (long?)null).Distinct()];
        if (leading is [{ } batch])
        {
            if (batch != rows)
            {
                throw new CompilationException(
                    $"BatchSize (batch_size) is {rows}, but the batch of '{model.Source}' is fixed at {batch} (input '{model.Inputs[0]}'). "
                    + $"Leave BatchSize out or set it to {batch}; or export the model with a free batch dimension.");
            }

            return;
        }

        throw new CompilationException(
            $"BatchSize (batch_size) is {rows}, but '{model.Source}' has no batch: its inputs do not share a free leading dimension (inputs: {string.Join("; ", model.Inputs)}). "
            + "Leave BatchSize out, and define symbols with OnnxDefineSymbol (onnx_define_symbol).");
    }

    private static CompilationException MissingSymbol(OnnxModel model, OnnxTensor input, string symbol) => new(
        $"Input '{input}' of '{model.Source}' has the symbol '{symbol}', which has no value. Define it: {Example(symbol)}.");

    private static string Example(string symbol) =>
        $"OnnxDefineSymbol = ImmutableDictionary<string, int>.Empty.Add(\"{symbol}\", 32) (onnx_define_symbol; qaic-exec: -onnx-define-symbol={symbol},32)";
}
