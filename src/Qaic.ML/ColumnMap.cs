using System.Collections.Immutable;

namespace Qaic.ML;

/// <summary>A column and the model's tensor that it is.</summary>
internal sealed record ColumnTensor(string Column, string Tensor);

/// <summary>Which columns a model reads and makes: names only, independent of any data's schema. Saved with a model.</summary>
/// <param name="Inputs">One per input of the model.</param>
/// <param name="Outputs">The outputs that are wanted, in the order of the columns.</param>
internal sealed record ColumnMap(ImmutableArray<ColumnTensor> Inputs, ImmutableArray<ColumnTensor> Outputs)
{
    /// <summary>Matches the columns that a user named with the tensors of a network.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A tensor does not exist, is claimed twice, or an input is left without a column; the message lists what there is.</exception>
    public static ColumnMap Resolve(QaicModelOptions options, IReadOnlyList<TensorSpec> inputs, IReadOnlyList<TensorSpec> outputs)
    {
        var map = new ColumnMap(
            Match("input", options.InputColumns, options.InputTensors, inputs, nameof(QaicModelOptions.InputTensors)),
            Match("output", options.OutputColumns, options.OutputTensors, outputs, nameof(QaicModelOptions.OutputTensors)));
        map.Check(inputs, outputs);
        return map;
    }

    /// <summary>Matches the columns of calibration data with the inputs of a model; there are no outputs.</summary>
    /// <exception cref="ArgumentOutOfRangeException">As <see cref="Resolve"/>.</exception>
    public static ColumnMap OfInputs(QaicCalibrationOptions options, IReadOnlyList<TensorSpec> inputs)
    {
        var map = new ColumnMap(Match("input", options.InputColumns, options.InputTensors, inputs, nameof(QaicCalibrationOptions.InputTensors)), []);
        map.Check(inputs, [], nameof(QaicCalibrationOptions));
        return map;
    }

    /// <summary>A copy of column names that a user gave.</summary>
    /// <exception cref="ArgumentException">One is empty.</exception>
    public static string[] Names(IReadOnlyList<string> names, string parameter)
    {
        ArgumentNullException.ThrowIfNull(names, parameter);
        return names.All(name => !string.IsNullOrWhiteSpace(name)) ? [.. names] : throw new ArgumentException("A column name is null, empty or white space.", parameter);
    }

    /// <summary>Checks that a network has the tensors, and that no input is without a column.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It has not; the message lists what there is.</exception>
    public void Check(IReadOnlyList<TensorSpec> inputs, IReadOnlyList<TensorSpec> outputs, string optionsType = nameof(QaicModelOptions))
    {
        RequireTensors("input", Inputs, inputs, optionsType);
        RequireTensors("output", Outputs, outputs, optionsType);
        foreach (TensorSpec input in inputs)
        {
            int columns = Inputs.Count(c => c.Tensor == input.Name);
            if (columns != 1)
            {
                throw Wrong(
                    nameof(QaicModelOptions.InputColumns),
                    columns == 0
                        ? $"The model's input '{input.Name}' has no column. Name one for each of: {List(inputs)}."
                        : $"The model's input '{input.Name}' has {columns} columns. Name one.");
            }
        }

        foreach (IGrouping<string, ColumnTensor> output in Outputs.GroupBy(c => c.Column).Where(g => g.Count() > 1))
        {
            throw Wrong(nameof(QaicModelOptions.OutputColumns), $"Output column '{output.Key}' is named {output.Count()} times.");
        }
    }

    private static ImmutableArray<ColumnTensor> Match(
        string what, IReadOnlyList<string> columns, IReadOnlyDictionary<string, string> tensors, IReadOnlyList<TensorSpec> specs, string option)
    {
        if (columns.Count > 0)
        {
            string? stray = tensors.Keys.FirstOrDefault(column => !columns.Contains(column));
            return stray is null
                ? [.. columns.Select(column => new ColumnTensor(column, tensors.TryGetValue(column, out string? tensor) ? tensor : column))]
                : throw Wrong(option, $"{option} names column '{stray}', which is not among the {what} columns: {string.Join(", ", columns)}.");
        }

        // No columns named: all tensors, by the mapping where it names them, else by their own names. A tensor that does not exist is found later.
        var mapped = tensors.Select(pair => new ColumnTensor(pair.Key, pair.Value)).ToList();
        IEnumerable<ColumnTensor> byName = specs.Where(spec => mapped.TrueForAll(m => m.Tensor != spec.Name)).Select(spec => new ColumnTensor(spec.Name, spec.Name));
        return [.. mapped.Concat(byName).OrderBy(c => specs.Select(s => s.Name).ToList().IndexOf(c.Tensor))];
    }

    private static void RequireTensors(string what, ImmutableArray<ColumnTensor> columns, IReadOnlyList<TensorSpec> specs, string optionsType)
    {
        foreach (ColumnTensor column in columns)
        {
            if (specs.All(spec => spec.Name != column.Tensor))
            {
                string option = what == "input" ? nameof(QaicModelOptions.InputTensors) : nameof(QaicModelOptions.OutputTensors);
                throw Wrong(
                    what == "input" ? nameof(QaicModelOptions.InputColumns) : nameof(QaicModelOptions.OutputColumns),
                    $"The model has no {what} '{column.Tensor}'; it has: {List(specs)}. If column '{column.Column}' has another name than its tensor, say so in {optionsType}.{option}.");
            }
        }
    }

    // For the user the parameter at fault is the option, wherever the check is made.
    private static ArgumentOutOfRangeException Wrong(string option, string message) => new(option, message);

    private static string List(IReadOnlyList<TensorSpec> specs) => string.Join("; ", specs);
}
