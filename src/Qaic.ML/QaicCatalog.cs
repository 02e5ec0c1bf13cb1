using Qaic;
using Qaic.ML;

namespace Microsoft.ML;

/// <summary>Extension methods that apply ONNX models on Qualcomm Cloud AI 100 cards, and profile data for quantizing them.</summary>
public static partial class QaicCatalog
{
    /// <summary>Applies a model; its inputs and outputs are columns of their names.</summary>
    /// <remarks>The model is compiled when the schema is needed, at the latest by <c>Fit</c>. Only apply models from trusted sources.</remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="modelPath">An <c>.onnx</c> file, a QPC file, or a directory that holds <c>programqpc.bin</c>.</param>
    /// <param name="options">Options of compilation, activation and session; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    public static QaicEstimator ApplyQaicModel(this TransformsCatalog catalog, string modelPath, QaicOptions? options = null) =>
        ApplyQaicModel(catalog, new QaicModelOptions { ModelPath = NonEmpty(modelPath), Options = options ?? QaicOptions.Default });

    /// <summary>Applies a model of one input; of its outputs, one is wanted.</summary>
    /// <remarks><inheritdoc cref="ApplyQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="outputColumnName">The column to make, named like the model's output.</param>
    /// <param name="inputColumnName">The column to read, named like the model's input.</param>
    /// <param name="modelPath">An <c>.onnx</c> file, a QPC file, or a directory that holds <c>programqpc.bin</c>.</param>
    /// <param name="options">Options of compilation, activation and session; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    public static QaicEstimator ApplyQaicModel(
        this TransformsCatalog catalog, string outputColumnName, string inputColumnName, string modelPath, QaicOptions? options = null) =>
        ApplyQaicModel(catalog, [outputColumnName], [inputColumnName], modelPath, options);

    /// <summary>Applies a model; some of its outputs are wanted.</summary>
    /// <remarks><inheritdoc cref="ApplyQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="outputColumnNames">The columns to make, named like outputs of the model. Empty: all.</param>
    /// <param name="inputColumnNames">The columns to read, named like the model's inputs. Empty: all.</param>
    /// <param name="modelPath">An <c>.onnx</c> file, a QPC file, or a directory that holds <c>programqpc.bin</c>.</param>
    /// <param name="options">Options of compilation, activation and session; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    public static QaicEstimator ApplyQaicModel(
        this TransformsCatalog catalog, string[] outputColumnNames, string[] inputColumnNames, string modelPath, QaicOptions? options = null) =>
        ApplyQaicModel(catalog, new QaicModelOptions
        {
            ModelPath = NonEmpty(modelPath),
            OutputColumns = outputColumnNames,
            InputColumns = inputColumnNames,
            Options = options ?? QaicOptions.Default,
        });

    /// <summary>Applies a model from a stream; its inputs and outputs are columns of their names.</summary>
    /// <remarks><inheritdoc cref="ApplyQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="model">An ONNX model or a QPC; read to its end, here and now, and not disposed.</param>
    /// <param name="options">Options of compilation, activation and session; null for the defaults.</param>
    public static QaicEstimator ApplyQaicModel(this TransformsCatalog catalog, Stream model, QaicOptions? options = null) =>
        ApplyQaicModel(catalog, new QaicModelOptions { Model = NonNull(model), Options = options ?? QaicOptions.Default });

    /// <summary>Applies a model of one input from a stream; of its outputs, one is wanted.</summary>
    /// <remarks><inheritdoc cref="ApplyQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="outputColumnName">The column to make, named like the model's output.</param>
    /// <param name="inputColumnName">The column to read, named like the model's input.</param>
    /// <param name="model">An ONNX model or a QPC; read to its end, here and now, and not disposed.</param>
    /// <param name="options">Options of compilation, activation and session; null for the defaults.</param>
    public static QaicEstimator ApplyQaicModel(
        this TransformsCatalog catalog, string outputColumnName, string inputColumnName, Stream model, QaicOptions? options = null) =>
        ApplyQaicModel(catalog, [outputColumnName], [inputColumnName], model, options);

    /// <summary>Applies a model from a stream; some of its outputs are wanted.</summary>
    /// <remarks><inheritdoc cref="ApplyQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="outputColumnNames">The columns to make, named like outputs of the model. Empty: all.</param>
    /// <param name="inputColumnNames">The columns to read, named like the model's inputs. Empty: all.</param>
    /// <param name="model">An ONNX model or a QPC; read to its end, here and now, and not disposed.</param>
    /// <param name="options">Options of compilation, activation and session; null for the defaults.</param>
    public static QaicEstimator ApplyQaicModel(
        this TransformsCatalog catalog, string[] outputColumnNames, string[] inputColumnNames, Stream model, QaicOptions? options = null) =>
        ApplyQaicModel(catalog, new QaicModelOptions
        {
            Model = NonNull(model),
            OutputColumns = outputColumnNames,
            InputColumns = inputColumnNames,
            Options = options ?? QaicOptions.Default,
        });

    /// <summary>Applies a model, with everything that can be said about it.</summary>
    /// <remarks><inheritdoc cref="ApplyQaicModel(TransformsCatalog, string, QaicOptions?)" path="/remarks"/></remarks>
    /// <param name="catalog">The transforms of an <see cref="MLContext"/>.</param>
    /// <param name="options">The model, its columns, and how to run it.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="ArgumentException">An option is missing or out of range; the message names it.</exception>
    public static QaicEstimator ApplyQaicModel(this TransformsCatalog catalog, QaicModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(options);
        return new QaicEstimator(MlNetInternals.EnvironmentOf(catalog), options);
    }

    private static string NonEmpty(string modelPath)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        return modelPath;
    }

    private static Stream NonNull(Stream model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model;
    }
}
