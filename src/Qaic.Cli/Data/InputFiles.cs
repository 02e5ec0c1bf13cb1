using System.Collections.Immutable;
using Qaic.Compilation;
using Qaic.Options;

namespace Qaic.Cli.Data;

/// <summary>Reads what a network is to run on: files by input name, or a list of files.</summary>
/// <param name="inputs">The network's inputs, in its order, with the shapes of a whole inference.</param>
/// <param name="hasBatch">Whether the leading dimension of all inputs is the batch.</param>
/// <param name="shapes">The sets of shapes of a network for several; empty for fixed ones.</param>
internal sealed class InputFiles(IReadOnlyList<TensorSpec> inputs, bool hasBatch, IReadOnlyList<AllowedShapeSet> shapes)
{
    /// <summary>How a session takes data.</summary>
    public static InputFiles Of(Session session) => new(session.Inputs, HasBatch(session), session.AllowedShapes);

    /// <summary>Whether rows of inputs and outputs belong to each other, so that any number of rows can be run.</summary>
    public static bool HasBatch(Session session) =>
        session.AllowedShapes.Count == 0 && session.Inputs.Concat(session.Outputs).All(t => t.Shape.Length > 0 && t.Shape[0] == session.BatchSize);

    /// <summary>Reads the files of <c>--input name=file</c>, which have any number of rows, the same for all.</summary>
    /// <exception cref="UsageException">A name is missing, unknown or there twice.</exception>
    /// <exception cref="DataFormatException">A file does not fit its input, or files have different numbers of rows.</exception>
    public IReadOnlyDictionary<string, Tensor> Load(IReadOnlyList<string> pairs)
    {
        Dictionary<string, string> files = ByName(pairs);
        return inputs.FirstOrDefault(i => !files.ContainsKey(i.Name)) is { } missing
            ? throw new UsageException($"Input '{missing}' has no file. Add --input {missing.Name}=<file>.")
            : Load([.. inputs.Select(i => files[i.Name])], "");
    }

    /// <summary>Which file is given for which input.</summary>
    /// <param name="pairs"><c>name=file</c>, or the file alone for a network of one input.</param>
    /// <exception cref="UsageException">A name is missing, unknown or there twice.</exception>
    public Dictionary<string, string> ByName(IReadOnlyList<string> pairs)
    {
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string pair in pairs)
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);

            // A network of one input needs no name; names may have an equals sign, files as well, so a known name decides.
            (string name, string file) = inputs.FirstOrDefault(i => pair.StartsWith($"{i.Name}=", StringComparison.Ordinal)) is { } known ? (known.Name, pair[(known.Name.Length + 1)..])
                : inputs.Count == 1 && (equals < 0 || File.Exists(pair)) ? (inputs[0].Name, pair)
                : equals > 0 ? throw Unknown(pair[..equals])
                : throw new UsageException($"'--input {pair}' does not say for which input. Write --input name=file; the inputs are: {string.Join("; ", inputs)}.");
            if (!files.TryAdd(name, file))
            {
                throw new UsageException($"Input '{name}' is given twice. Give one file for each input; several inferences go into a list (--input-list).");
            }
        }

        return files;
    }

    /// <summary>Reads a list: per line the files of the inputs in the model's order, separated by commas. Each line is read when its turn comes.</summary>
    /// <exception cref="IOException">The list cannot be read, or a line does not fit; the message has the line.</exception>
    public IEnumerable<IReadOnlyDictionary<string, Tensor>> LoadList(string path)
    {
        var list = InputListFile.Load(path);
        string directory = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "";
        return list.Lines.Select((files, i) => Load(
            files.Count == inputs.Count ? [.. files.Select(Placed)] : throw new DataFormatException(
                path, $"inference {i + 1} has {files.Count} files, the model {inputs.Count} inputs: {string.Join("; ", inputs)}. Write one file for each, in this order."),
            $"inference {i + 1} of '{path}': "));

        // From the working directory, as the vendor's tools look, or else from the list's.
        string Placed(string file) => !File.Exists(file) && File.Exists(Path.GetFullPath(file, directory)) ? Path.GetFullPath(file, directory) : file;
    }

    /// <summary>The rows of a sample, each without the leading dimension; the sample itself if there is no batch.</summary>
    public IEnumerable<IReadOnlyDictionary<string, Tensor>> Rows(IReadOnlyDictionary<string, Tensor> sample) => !hasBatch ? [sample]
        : Enumerable.Range(0, sample.Values.First().Shape[0]).Select(row => (IReadOnlyDictionary<string, Tensor>)sample.ToDictionary(p => p.Key, p => Slice(p.Value, row, [.. p.Value.Shape.Skip(1)], 1)));

    /// <summary>Some rows of a sample, as a sample.</summary>
    public static IReadOnlyDictionary<string, Tensor> Rows(IReadOnlyDictionary<string, Tensor> sample, int first, int count) =>
        sample.ToDictionary(p => p.Key, p => Slice(p.Value, first, [count, .. p.Value.Shape.Skip(1)], count));

    private static Tensor Slice(Tensor tensor, int first, ImmutableArray<int> shape, int rows)
    {
        var part = Tensor.Zeros(new TensorSpec("rows", tensor.ElementType, shape));
        int rowBytes = tensor.Bytes.Length / tensor.Shape[0];
        tensor.Bytes.Slice(first * rowBytes, rows * rowBytes).CopyTo(part.Bytes);
        return part;
    }

    private Dictionary<string, Tensor> Load(IReadOnlyList<string> files, string where)
    {
        try
        {
            return shapes.Count == 0 ? Load(files, inputs, hasBatch) : LoadShaped(files);
        }
        catch (FileNotFoundException e) when (where.Length > 0)
        {
            throw new FileNotFoundException(where + e.Message, e.FileName, e);
        }
        catch (DataFormatException e) when (where.Length > 0)
        {
            throw new IOException(where + e.Message, e);
        }
    }

    private static Dictionary<string, Tensor> Load(IReadOnlyList<string> files, IReadOnlyList<TensorSpec> specs, bool hasBatch)
    {
        var tensors = new Dictionary<string, Tensor>(specs.Count, StringComparer.Ordinal);
        for (int i = 0; i < specs.Count; i++)
        {
            Tensor tensor = TensorFile.Load(files[i], specs[i], hasBatch);
            if (hasBatch && i > 0 && tensor.Shape[0] != tensors[specs[0].Name].Shape[0])
            {
                throw new DataFormatException(files[i], $"it has {tensor.Shape[0]} rows of input '{specs[i].Name}', but '{files[0]}' has {tensors[specs[0].Name].Shape[0]} of '{specs[0].Name}'. All inputs have the same number of rows.");
            }

            tensors.Add(specs[i].Name, tensor);
        }

        return tensors;
    }

    // The first set of shapes that all files fit.
    private Dictionary<string, Tensor> LoadShaped(IReadOnlyList<string> files)
    {
        DataFormatException? last = null;
        foreach (AllowedShapeSet set in shapes)
        {
            try
            {
                return Load(files, set.Inputs, hasBatch: false);
            }
            catch (DataFormatException e)
            {
                last = e;
            }
        }

        throw new DataFormatException(string.Join(", ", files), $"these fit none of the sets of shapes that the network is compiled for: {string.Join("; ", shapes)}. For the last one: {last!.Message}", last);
    }

    private UsageException Unknown(string name)
    {
        string hint = Spelling.Nearest(name, inputs.Select(i => i.Name)) is { } nearest ? $" Did you mean '{nearest}'?" : "";
        return new UsageException($"The network has no input '{name}'.{hint} It has: {string.Join("; ", inputs)}.");
    }
}
