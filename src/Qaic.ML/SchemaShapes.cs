using Microsoft.ML;

namespace Qaic.ML;

/// <summary>Makes schema shapes, whose columns have no public constructor, by public means.</summary>
/// <remarks>An estimator behind a data loader is told the shape of what the loader delivers; so a loader that only has a schema yields its shape.</remarks>
internal static class SchemaShapes
{
    /// <summary>The shape of a schema.</summary>
    public static SchemaShape Of(DataViewSchema schema) => new SchemaOnlyLoader(schema).Append(new Identity()).GetOutputSchema();

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
