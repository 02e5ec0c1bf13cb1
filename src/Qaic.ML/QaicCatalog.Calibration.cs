using Qaic;
using Qaic.ML;

namespace Microsoft.ML;

public static partial class QaicCatalog
{
    /// <summary>Profiles data for quantizing a model; its inputs are columns of their names.</summary>
    /// <remarks>
    /// <c>Fit</c> runs the rows through the model in float32 and yields a transformer that passes rows through and has the <see cref="QaicCalibrationTransformer.Profile"/>.
    /// The model is compiled when the schema is needed, at the latest by <c>Fit</c>. Only apply models from trusted sources.
    /// </remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="modelPath">An <c>.onnx</c> file.</param>
    /// <param name="options">The options that the model will be compiled with; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    public static QaicCalibrationEstimator CalibrateQaicModel(this TransformsCatalog catalog, string modelPath, QaicOptions? options = null) =>
        CalibrateQaicModel(catalog, [], modelPath, options);

    /// <summary>Profiles data for quantizing a model of one input.</summary>
    /// <remarks><inheritdoc cref="CalibrateQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="inputColumnName">The column to read, named like the model's input.</param>
    /// <param name="modelPath">An <c>.onnx</c> file.</param>
    /// <param name="options">The options that the model will be compiled with; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    public static QaicCalibrationEstimator CalibrateQaicModel(this TransformsCatalog catalog, string inputColumnName, string modelPath, QaicOptions? options = null) =>
        CalibrateQaicModel(catalog, [inputColumnName], modelPath, options);

    /// <summary>Profiles data for quantizing a model.</summary>
    /// <remarks><inheritdoc cref="CalibrateQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="inputColumnNames">The columns to read, named like the model's inputs. Empty: all.</param>
    /// <param name="modelPath">An <c>.onnx</c> file.</param>
    /// <param name="options">The options that the model will be compiled with; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    public static QaicCalibrationEstimator CalibrateQaicModel(this TransformsCatalog catalog, string[] inputColumnNames, string modelPath, QaicOptions? options = null) =>
        CalibrateQaicModel(catalog, new QaicCalibrationOptions { ModelPath = NonEmpty(modelPath), InputColumns = inputColumnNames, Options = options ?? QaicOptions.Default });

    /// <summary>Profiles data for quantizing a model from a stream; its inputs are columns of their names.</summary>
    /// <remarks><inheritdoc cref="CalibrateQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="model">An ONNX model; read to its end, here and now, and not disposed.</param>
    /// <param name="options">The options that the model will be compiled with; null for the defaults.</param>
    public static QaicCalibrationEstimator CalibrateQaicModel(this TransformsCatalog catalog, Stream model, QaicOptions? options = null) =>
        CalibrateQaicModel(catalog, [], model, options);

    /// <summary>Profiles data for quantizing a model of one input from a stream.</summary>
    /// <remarks><inheritdoc cref="CalibrateQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="inputColumnName">The column to read, named like the model's input.</param>
    /// <param name="model">An ONNX model; read to its end, here and now, and not disposed.</param>
    /// <param name="options">The options that the model will be compiled with; null for the defaults.</param>
    public static QaicCalibrationEstimator CalibrateQaicModel(this TransformsCatalog catalog, string inputColumnName, Stream model, QaicOptions? options = null) =>
        CalibrateQaicModel(catalog, [inputColumnName], model, options);

    /// <summary>Profiles data for quantizing a model from a stream.</summary>
    /// <remarks><inheritdoc cref="CalibrateQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="inputColumnNames">The columns to read, named like the model's inputs. Empty: all.</param>
    /// <param name="model">An ONNX model; read to its end, here and now, and not disposed.</param>
    /// <param name="options">The options that the model will be compiled with; null for the defaults.</param>
    public static QaicCalibrationEstimator CalibrateQaicModel(this TransformsCatalog catalog, string[] inputColumnNames, Stream model, QaicOptions? options = null) =>
        CalibrateQaicModel(catalog, new QaicCalibrationOptions { Model = NonNull(model), InputColumns = inputColumnNames, Options = options ?? QaicOptions.Default });

    /// <summary>Profiles data for quantizing a model, with everything that can be said about it.</summary>
    /// <remarks><inheritdoc cref="CalibrateQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="options">The model, its columns, the rows to use, and the options that it will be compiled with.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="ArgumentException">An option is missing or out of range, or the model is a QPC; the message names it.</exception>
    public static QaicCalibrationEstimator CalibrateQaicModel(this TransformsCatalog catalog, QaicCalibrationOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(options);
        return new QaicCalibrationEstimator(MlNetInternals.EnvironmentOf(catalog), options);
    }
}
