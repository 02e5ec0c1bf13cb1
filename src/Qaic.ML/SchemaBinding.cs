using System.Collections.Immutable;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Qaic.ML;

/// <summary>An input of the model and the column that feeds it.</summary>
/// <param name="Index">Position among the model's inputs.</param>
/// <param name="Tensor">The input.</param>
/// <param name="Column">The column.</param>
/// <param name="Length">Elements of the tensor per row.</param>
internal sealed record InputBinding(int Index, TensorSpec Tensor, DataViewSchema.Column Column, int Length);

/// <summary>An output of the model and the column that it becomes.</summary>
/// <param name="Index">Position among the model's outputs.</param>
/// <param name="Tensor">The output.</param>
/// <param name="Name">The column's name.</param>
/// <param name="Type">The column's type.</param>
/// <param name="Length">Elements of the tensor per row.</param>
internal sealed record OutputBinding(int Index, TensorSpec Tensor, string Name, DataViewType Type, int Length);

/// <summary>A model's columns found in the schema of some data. Immutable.</summary>
internal sealed class SchemaBinding
{
    private SchemaBinding(DataViewSchema inputSchema, ImmutableArray<InputBinding> inputs, ImmutableArray<OutputBinding> outputs, int rowsPerInference)
    {
        InputSchema = inputSchema;
        Inputs = inputs;
        Outputs = outputs;
        RowsPerInference = rowsPerInference;
        OutputSchema = OutputSchemaOf(inputSchema, outputs);
    }

    /// <summary>The data's schema.</summary>
    public DataViewSchema InputSchema { get; }

    /// <summary>The data's columns at their places, annotations and all; then the outputs. An output hides a column of its name.</summary>
    public DataViewSchema OutputSchema { get; }

    /// <summary>In the order of the model's inputs.</summary>
    public ImmutableArray<InputBinding> Inputs { get; }

    /// <summary>In the order of the columns.</summary>
    public ImmutableArray<OutputBinding> Outputs { get; }

    /// <summary>Rows that one inference scores: the model's batch, or 1 where a column holds a whole tensor.</summary>
    public int RowsPerInference { get; }

    /// <summary>Finds a model's columns in a schema.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing, or of the wrong type or size.</exception>
    public static SchemaBinding Create(IExceptionContext context, NetworkTensors network, ColumnMap columns, bool squeeze, DataViewSchema schema)
    {
        var found = new (TensorSpec Tensor, DataViewSchema.Column Column)[network.Inputs.Count];
        for (int i = 0; i < found.Length; i++)
        {
            TensorSpec tensor = network.Inputs[i];
            string name = columns.Inputs.Single(c => c.Tensor == tensor.Name).Column;
            DataViewSchema.Column column = schema.GetColumnOrNull(name) ?? throw SchemaErrors.Missing(context, name);
            DataViewType item = ColumnTypes.ItemOf(column.Type);
            found[i] = ColumnTypes.Accepts(tensor, item) ? (tensor, column) : throw SchemaErrors.Mismatch(context, name, ColumnTypes.ItemTypeOf(tensor), item);
        }

        int rows = RowsOf(context, network.BatchSize, found);
        return new SchemaBinding(
            schema,
            [.. found.Select((f, i) => new InputBinding(i, f.Tensor, f.Column, LengthOf(f.Tensor, rows)))],
            OutputsOf(network, columns, squeeze, rows),
            rows);
    }

    /// <summary>The outputs when <paramref name="rows"/> rows share an inference.</summary>
    public static ImmutableArray<OutputBinding> OutputsOf(NetworkTensors network, ColumnMap columns, bool squeeze, int rows) =>
    [
        .. columns.Outputs.Select(c =>
        {
            int index = network.Outputs.TakeWhile(o => o.Name != c.Tensor).Count();
            TensorSpec tensor = network.Outputs[index];
            return new OutputBinding(index, tensor, c.Column, ColumnTypes.RowTypeOf(tensor, rows, squeeze), LengthOf(tensor, rows));
        }),
    ];

    /// <summary>Columns at and beyond this position of <see cref="OutputSchema"/> are the model's.</summary>
    public int FirstOutput => InputSchema.Count;

    private static int LengthOf(TensorSpec tensor, int rows) => checked((int)(tensor.ElementCount / rows));

    // A column as long as the tensor's share of one row: a batch of rows per inference. As long as the whole tensor, batch and all: one row per
    // inference, as ApplyOnnxModel does. A column of varying length goes with the others, and if there are none, with the batch.
    private static int RowsOf(IExceptionContext context, int batch, (TensorSpec Tensor, DataViewSchema.Column Column)[] found)
    {
        bool Fits((TensorSpec Tensor, DataViewSchema.Column Column) input, int rows) =>
            ColumnTypes.LengthOf(input.Column.Type) is not { } length || length == input.Tensor.ElementCount / rows;

        if (Array.TrueForAll(found, input => Fits(input, batch)))
        {
            return batch;
        }

        if (Array.TrueForAll(found, input => Fits(input, 1)))
        {
            return 1;
        }

        (TensorSpec tensor, DataViewSchema.Column column) = Array.Find(found, input => !Fits(input, batch));
        throw SchemaErrors.Mismatch(context, column.Name, ColumnTypes.RowTypeOf(tensor, batch, squeeze: false), column.Type);
    }

    private static DataViewSchema OutputSchemaOf(DataViewSchema inputSchema, ImmutableArray<OutputBinding> outputs)
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(inputSchema);
        foreach (OutputBinding output in outputs)
        {
            builder.AddColumn(output.Name, output.Type);
        }

        return builder.ToSchema();
    }
}

/// <summary>ML.NET's own words for columns that are missing or wrong.</summary>
internal static class SchemaErrors
{
    public static ArgumentOutOfRangeException Missing(IExceptionContext context, string column) =>
        context.Process(Wrong("inputSchema", $"Could not find input column '{column}'"));

    public static ArgumentOutOfRangeException Mismatch(IExceptionContext context, string column, DataViewType expected, DataViewType actual)
    {
        string remedy = ColumnTypes.ItemOf(actual) is TextDataViewType ? ". The card has no strings: turn the text into numbers first" : "";
        return context.Process(Wrong("inputSchema", $"Schema mismatch for input column '{column}': expected {expected}, got {actual}{remedy}"));
    }

    // The parameter of IEstimator and ITransformer that is at fault.
    private static ArgumentOutOfRangeException Wrong(string parameter, string message) => new(parameter, message);
}
