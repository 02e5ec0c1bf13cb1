using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace Qaic.ML;

/// <summary>Makes schema shapes, whose columns have no public constructor, by public means.</summary>
/// <remarks>An estimator behind a data loader is told the shape of what the loader delivers; so a loader that only has a schema yields its shape.</remarks>
internal static class SchemaShapes
{
    /// <summary>The shape of a schema.</summary>
    public static SchemaShape Of(DataViewSchema schema) => new SchemaOnlyLoader(schema).Append(new Identity()).GetOutputSchema();

    /// <summary>Checks that a shape has columns for a model's inputs.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type.</exception>
    public static void RequireInputs(IExceptionContext context, SchemaShape shape, ColumnMap map, IReadOnlyList<TensorSpec> inputs)
    {
        var columns = shape.ToDictionary(column => column.Name);
        foreach (ColumnTensor input in map.Inputs)
        {
            TensorSpec tensor = inputs.Single(t => t.Name == input.Tensor);
            if (!columns.TryGetValue(input.Column, out SchemaShape.Column column))
            {
                throw SchemaErrors.Missing(context, input.Column);
            }

            if (!ColumnTypes.Accepts(tensor, column.ItemType))
            {
                throw SchemaErrors.Mismatch(context, input.Column, ColumnTypes.ItemTypeOf(tensor), column.ItemType);
            }
        }
    }

    private sealed class SchemaOnlyLoader(DataViewSchema schema) : IDataLoader<object>
    {
        public DataViewSchema GetOutputSchema() => schema;

        public IDataView Load(object input) => throw new NotSupportedException("This loader only has a schema.");

        public void Save(ModelSaveContext ctx) => throw new NotSupportedException("This loader only has a schema.");
    }

    private sealed class Identity : IEstimator<ITransformer>
    {
        public ITransformer Fit(IDataView input) => throw new NotSupportedException("This estimator only passes a shape on.");

        public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema;
    }
}
