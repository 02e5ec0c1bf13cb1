using Microsoft.ML;

namespace Qaic.ML;

/// <summary>Which columns of the output a reader wants, and which columns of the source that takes. Immutable.</summary>
internal sealed class ColumnSelection
{
    private readonly SchemaBinding _binding;
    private readonly bool[] _active;

    /// <exception cref="ArgumentOutOfRangeException">A column is not of the output's schema.</exception>
    public ColumnSelection(SchemaBinding binding, IEnumerable<DataViewSchema.Column> wanted)
    {
        _binding = binding;
        _active = new bool[binding.OutputSchema.Count];
        foreach (DataViewSchema.Column column in wanted)
        {
            _active[Check(column)] = true;
        }
    }

    /// <summary>Whether an output of the model is wanted: whether the model has to run at all.</summary>
    public bool NeedsModel => Array.IndexOf(_active, true, _binding.FirstOutput) >= 0;

    /// <summary>The source's columns that are wanted themselves.</summary>
    public IEnumerable<DataViewSchema.Column> PassedThrough => _binding.InputSchema.Where(column => _active[column.Index]);

    /// <summary>The model's outputs that are wanted, with their columns' positions.</summary>
    public IEnumerable<(OutputBinding Output, int Column)> Outputs =>
        _binding.Outputs.Select((output, i) => (output, _binding.FirstOutput + i)).Where(o => _active[o.Item2]);

    /// <summary>The source's columns that must be active: those wanted, and the model's inputs if it has to run.</summary>
    public IEnumerable<DataViewSchema.Column> SourceColumns
    {
        get
        {
            bool[] needed = _active[.._binding.FirstOutput];
            if (NeedsModel)
            {
                foreach (InputBinding input in _binding.Inputs)
                {
                    needed[input.Column.Index] = true;
                }
            }

            return _binding.InputSchema.Where(column => needed[column.Index]);
        }
    }

    /// <summary>Whether a column is wanted.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not of the output's schema.</exception>
    public bool IsActive(DataViewSchema.Column column) => _active[Check(column)];

    /// <summary>Checks that a getter may be asked for.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The column is not of the output's schema, or was not asked for.</exception>
    /// <exception cref="InvalidOperationException">The column's values are not of <typeparamref name="TValue"/>.</exception>
    public void CheckGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsActive(column))
        {
            throw new ArgumentOutOfRangeException(nameof(column), $"Column '{column.Name}' is not active. Name it when you open the cursor.");
        }

        Type raw = _binding.OutputSchema[column.Index].Type.RawType;
        if (raw != typeof(TValue))
        {
            throw new InvalidOperationException($"Invalid TValue in GetGetter for column '{column.Name}': '{typeof(TValue)}', expected type: '{raw}'.");
        }
    }

    private int Check(DataViewSchema.Column column) =>
        column.Index < _active.Length && _binding.OutputSchema[column.Index].Name == column.Name
            ? column.Index
            : throw new ArgumentOutOfRangeException(nameof(column), $"Column '{column.Name}' (index {column.Index}) is not of this schema.");
}
