using System.Collections.Immutable;
using System.Text;
using Qaic.Quantization;

namespace Qaic.Compilation;

/// <summary>A list of inputs (<see cref="QaicOptions.InputListFile"/>): per line one inference, the raw files of its inputs in the model's order, separated by commas.</summary>
/// <remarks>
/// <para>Immutable. A raw file holds the elements of one input for a whole batch, row-major, little endian, and nothing else. Blanks around paths and empty lines are passed over;
/// paths with commas cannot be written, and there are no comments.</para>
/// <para>A relative path is one from the working directory, as for the vendor's compiler; if there is no such file, one from the list's own directory.</para>
/// </remarks>
public sealed class InputListFile
{
    /// <summary>Largest list that is read.</summary>
    internal const int MaxBytes = 256 << 20;

    private const string What = "list of inputs";

    // Longer paths no system opens.
    private const int LongestPath = 4096;

    private readonly ImmutableArray<int> _lineNumbers;
    private readonly string _directory;

    private InputListFile(string path, ImmutableArray<IReadOnlyList<string>> lines, ImmutableArray<int> lineNumbers)
    {
        Path = path;
        Lines = lines;
        _lineNumbers = lineNumbers;
        _directory = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path)) ?? "";
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Per inference the paths of its raw files, as they are written; one or more inferences.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Lines { get; }

    /// <summary>Reads a list. The raw files are not looked at.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="QuantizationFormatException">It is empty, no text, or has a path that cannot be one; the message has the line.</exception>
    public static InputListFile Load(string path)
    {
        byte[] bytes = QuantizationFiles.ReadAll(path, What, MaxBytes);
        if (bytes.AsSpan().IndexOf((byte)0) is >= 0 and int zero)
        {
            throw new QuantizationFormatException(path, 1 + bytes.AsSpan(0, zero).Count((byte)'\n'), "The list has a zero byte and is no text. Check the path; it names raw files and does not hold their content.");
        }

        string text = QuantizationFiles.Decode(bytes, path);
        var lines = ImmutableArray.CreateBuilder<IReadOnlyList<string>>();
        var numbers = ImmutableArray.CreateBuilder<int>();
        int number = 0;
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            number++;
            if (line.Trim().IsEmpty)
            {
                continue;
            }

            var paths = new List<string>();
            foreach (Range range in line.Split(','))
            {
                ReadOnlySpan<char> file = line[range].Trim();
                paths.Add(
                    file.IsEmpty ? throw new QuantizationFormatException(path, number, $"Path {paths.Count + 1} is empty. Write the raw files of one inference, separated by single commas.")
                    : file.Length > LongestPath ? throw new QuantizationFormatException(path, number, $"Path {paths.Count + 1} has {file.Length} characters. Is this a list of raw files, separated by commas?")
                    : file.ToString());
            }

            lines.Add(paths);
            numbers.Add(number);
        }

        return lines.Count > 0
            ? new InputListFile(path, lines.ToImmutable(), numbers.ToImmutable())
            : throw new QuantizationFormatException(path, 0, "The list is empty. Write one line for each inference: the raw files of its inputs, separated by commas.");
    }

    /// <summary>Reads the data, one inference after the other; nothing is kept.</summary>
    /// <param name="inputs">The model's inputs, in its order, with the shape of a whole batch.</param>
    /// <returns>Per line all inputs by name.</returns>
    /// <exception cref="QuantizationFormatException">A line has not as many files as the model has inputs, a file is missing or not of the input's size; thrown when its turn comes. The message names line, file and input.</exception>
    public IEnumerable<IReadOnlyDictionary<string, Tensor>> Read(IReadOnlyList<TensorSpec> inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        return Lines.Select((files, i) => Read(inputs, files, _lineNumbers[i]));
    }

    /// <summary>The list with full paths, for a reader that looks from the working directory only.</summary>
    /// <returns>Null if it is such a list already: no file of it is found from the list's own directory alone.</returns>
    /// <exception cref="QuantizationFormatException">A full path has a comma, which a list cannot hold.</exception>
    internal string? WithFullPaths()
    {
        var text = new StringBuilder();
        bool isChanged = false;
        for (int i = 0; i < Lines.Count; i++)
        {
            string separator = "";
            foreach (string file in Lines[i])
            {
                string place = Places(file).FirstOrDefault(File.Exists) ?? file;
                bool isMoved = place != file && !File.Exists(file);
                isChanged |= isMoved;
                string written = isMoved ? place : file;
                text.Append(separator).Append(isMoved && written.Contains(',', StringComparison.Ordinal)
                    ? throw new QuantizationFormatException(Path, _lineNumbers[i], $"'{file}' is '{written}', whose comma a list of inputs cannot hold. Move the list and its files, or work in the list's directory.")
                    : written);
                separator = ",";
            }

            text.Append('\n');
        }

        return isChanged ? text.ToString() : null;
    }

    /// <summary>Writes samples as raw files and a list of them, which is how data reaches the vendor's compiler.</summary>
    /// <param name="directory">Directory for the files; it is made if it is missing. Its path must have no comma.</param>
    /// <param name="inputs">The model's inputs, in its order, with the shape of a whole batch. If all lead with the same dimension, that is the batch.</param>
    /// <param name="samples">
    /// Per element all inputs by name, each with any number of rows (the same for all) or, without the leading dimension, one row. Rows are gathered into batches; the last one is filled
    /// with the first rows again. Of a network without a batch each sample has exactly the inputs' shapes. Read once.
    /// </param>
    /// <param name="cancellationToken">Ends the writing.</param>
    /// <exception cref="ArgumentException">There is no row; or a sample lacks an input, or has one of the wrong type or shape, or with NaN or infinity. The message names sample and input.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The writing was cancelled.</exception>
    public static WrittenInputs Write(
        string directory, IReadOnlyList<TensorSpec> inputs, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(samples);
        var writer = new InputListWriter(directory, inputs);
        foreach (IReadOnlyDictionary<string, Tensor> sample in samples)
        {
            cancellationToken.ThrowIfCancellationRequested();
            writer.Add(sample);
        }

        return writer.Complete();
    }

    private Dictionary<string, Tensor> Read(IReadOnlyList<TensorSpec> inputs, IReadOnlyList<string> files, int line)
    {
        if (files.Count != inputs.Count)
        {
            throw new QuantizationFormatException(
                Path, line, $"The line has {Counted(files.Count, "file")}, the model {Counted(inputs.Count, "input")}: {string.Join("; ", inputs)}. Write one file for each, in this order.");
        }

        var sample = new Dictionary<string, Tensor>(inputs.Count, StringComparer.Ordinal);
        for (int i = 0; i < files.Count; i++)
        {
            sample[inputs[i].Name] = Read(inputs[i], files[i], line);
        }

        return sample;
    }

    private Tensor Read(TensorSpec input, string file, int line)
    {
        try
        {
            using FileStream stream = Open(file, input, line);
            if (stream.Length != input.ByteLength)
            {
                throw WrongSize(stream.Length);
            }

            Tensor tensor = Tensor.Zeros(input);
            int read = stream.ReadAtLeast(tensor.Bytes, tensor.Bytes.Length, throwOnEndOfStream: false);
            return read == tensor.Bytes.Length ? tensor : throw WrongSize(read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new QuantizationFormatException(Path, line, $"'{file}' for input '{input.Name}' cannot be read: {e.Message}", e);
        }

        QuantizationFormatException WrongSize(long found)
        {
            string batch = input.Shape.Length > 0 ? $" A file holds a whole batch of {input.Shape[0]}." : "";
            return new(Path, line, $"'{file}' has {found} bytes; input '{input}' takes {input.ByteLength}.{batch} Write the elements in the model's type, without a header.");
        }
    }

    private string[] Places(string file) => System.IO.Path.IsPathRooted(file) ? [file] : [System.IO.Path.GetFullPath(file), System.IO.Path.GetFullPath(file, _directory)];

    private FileStream Open(string file, TensorSpec input, int line)
    {
        string[] places = Places(file);
        foreach (string place in places.Distinct())
        {
            if (File.Exists(place))
            {
                return new FileStream(place, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);
            }
        }

        string what = places.Any(Directory.Exists) ? "is a directory" : $"is not there. Looked for {string.Join(" and ", places.Distinct().Select(p => $"'{p}'"))}";
        throw new QuantizationFormatException(Path, line, $"The file '{file}' for input '{input.Name}' {what}. Relative paths are from the working directory, or else from the list's.");
    }

    private static string Counted(int count, string noun) => $"{count} {noun}{(count == 1 ? "" : "s")}";
}

/// <summary>What <see cref="InputListFile.Write"/> has written.</summary>
/// <param name="Path">The list, by its full path.</param>
/// <param name="Rows">Rows of the samples; those that fill the last batch are not counted.</param>
/// <param name="Inferences">Lines of the list.</param>
public readonly record struct WrittenInputs(string Path, long Rows, int Inferences);
