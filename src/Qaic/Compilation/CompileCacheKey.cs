using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Qaic.Options;
using Qaic.Qpc;

namespace Qaic.Compilation;

/// <summary>Everything a compiled network depends on, as one number.</summary>
internal static class CompileCacheKey
{
    /// <summary>Counted up when entries of older releases must not be used any more.</summary>
    public const int FormatVersion = 1;

    // Options that the vendor's compiler takes from the environment.
    private const string HiddenOptions = "QAIC_COMPILER_OPTS_UNSUPPORTED";

    // By its data, not by its text: lists are made anew, in other directories, for the same data.
    private const string InputList = "input_list_file";

    // Files that name further files, and what stands between the names: libraries.
    private static readonly Dictionary<string, char[]> s_lists = new(StringComparer.Ordinal)
    {
        ["register_custom_op"] = [',', '\r', '\n', '\t', ' ', '"', '\'', ':', '[', ']', '{', '}'],
    };

    /// <summary>The key of a compilation, in lower-case hexadecimal.</summary>
    /// <returns>Null if the result must not be kept; <paramref name="reason"/> then completes the sentence "was compiled without the cache, because".</returns>
    /// <exception cref="IOException">The model, or a file that belongs to it, cannot be read.</exception>
    public static string? Of(ICompiler compiler, string modelPath, QaicOptions options, FileDigests digests, out string reason, CancellationToken cancellationToken)
    {
        using var key = new Items();
        key.Add("qaic compile cache", Text(FormatVersion));
        key.Add("compiler", compiler.Name, compiler.Version);

        // A compiler that is an assembly of its own is known by its build: between releases its code changes and its version does not.
        // Those of this assembly start a program, and know its version.
        key.Add("build", compiler.GetType().Assembly == typeof(CompileCacheKey).Assembly ? "" : compiler.GetType().Module.ModuleVersionId.ToString("n"));
        key.Add(HiddenOptions, Environment.GetEnvironmentVariable(HiddenOptions) ?? "");

        // A network without a name is called by its file.
        key.Add("model", Path.GetFileNameWithoutExtension(modelPath), digests.Of(modelPath, cancellationToken));
        try
        {
            return (reason = AddExternal(key, modelPath, digests, cancellationToken) ?? AddOptions(key, options, digests, cancellationToken) ?? "").Length == 0 ? key.Hash() : null;
        }
        catch (QpcFormatException e)
        {
            reason = $"the files it consists of are not known: {e.Message}";
            return null;
        }
    }

    private static string? AddExternal(Items key, string modelPath, FileDigests digests, CancellationToken cancellationToken)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(modelPath))!;
        foreach (string location in OnnxFiles.ExternalLocations(modelPath))
        {
            // The bounds of each tensor within the file are in the model's own bytes. What the compiler is going to refuse needs no place in the cache.
            string path = Path.Combine(folder, location);
            if (location.Length == 0 || location.Contains('\0', StringComparison.Ordinal) || FileStamp.Of(path) is null)
            {
                return $"its data in '{location}' is not there";
            }

            key.Add("external", location, digests.Of(path, cancellationToken));
        }

        return null;
    }

    private static string? AddOptions(Items key, QaicOptions options, FileDigests digests, CancellationToken cancellationToken)
    {
        // Every compile-stage option, whichever compiler heeds it.
        foreach (OptionInfo option in OptionTable.All.Where(o => o.Stage == OptionStage.Compile && o.IsSet(options)).OrderBy(o => o.Keyword, StringComparer.Ordinal))
        {
            if (option.File == OptionFile.Output)
            {
                return $"option {option} writes a file of its own";
            }

            if (option.IsInputFile)
            {
                // The content counts, not the name.
                IReadOnlyList<string> files = option.Files(options);
                key.Add(option.Keyword, Text(files.Count));
                foreach (string path in files)
                {
                    AddFile(key, option.Keyword, path, digests, cancellationToken);
                }

                continue;
            }

            key.Add(option.Keyword, option.Format(options));
        }

        return AddRaw(key, options.CompilerArguments, digests, cancellationToken);
    }

    // Raw arguments mean what they mean to the compiler; what names a file is taken for one that it reads, unless it looks like one that it writes.
    private static string? AddRaw(Items key, IEnumerable<string> arguments, FileDigests digests, CancellationToken cancellationToken)
    {
        foreach (string argument in arguments)
        {
            string[] parts = argument.Split('=', 2);
            string keyword = parts[0].TrimStart('-').Replace('-', '_').ToLowerInvariant();
            if (keyword.Contains("dump", StringComparison.Ordinal) || keyword.StartsWith("write", StringComparison.Ordinal) || keyword.EndsWith("dir", StringComparison.Ordinal))
            {
                return $"compiler argument '{argument}' may write files of its own";
            }

            foreach (string path in parts[^1].Split(',').Append(parts[^1]).Where(path => path.Length > 0 && FileStamp.Of(path) is not null))
            {
                AddFile(key, keyword, path, digests, cancellationToken);
            }
        }

        return null;
    }

    private static void AddFile(Items key, string keyword, string path, FileDigests digests, CancellationToken cancellationToken)
    {
        if (path.Length == 0 || FileStamp.Of(path) is not { } stamp)
        {
            // The compiler says what is wrong, and what failed is not kept.
            key.Add("missing file", path);
            return;
        }

        if (keyword == InputList)
        {
            AddInputs(key, path, stamp, digests, cancellationToken);
            return;
        }

        key.Add("file", digests.Of(path, cancellationToken));
        if (!s_lists.TryGetValue(keyword, out char[]? separators))
        {
            return;
        }

        CheckListSize(path, stamp);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        foreach (string name in File.ReadAllText(path).Split(separators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (Found(name, folder) is { } found)
            {
                key.Add("listed file", name, digests.Of(found, cancellationToken));
            }
        }
    }

    // The data of each inference in order, wherever it lies. A number before each line keeps lines apart.
    private static void AddInputs(Items key, string path, FileStamp stamp, FileDigests digests, CancellationToken cancellationToken)
    {
        CheckListSize(path, stamp);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        foreach (string line in File.ReadLines(path).Where(line => !string.IsNullOrWhiteSpace(line)))
        {
            string[] names = line.Split(',', StringSplitOptions.TrimEntries);
            key.Add("inference", Text(names.Length));
            foreach (string name in names)
            {
                if (Found(name, folder) is { } found)
                {
                    key.Add("data", digests.Of(found, cancellationToken));
                }
                else
                {
                    // The compiler says what is wrong, and what failed is not kept.
                    key.Add("missing file", name);
                }
            }
        }
    }

    // The tools resolve names against the working directory; people mean the list's own.
    private static string? Found(string name, string folder) =>
        name.Length == 0 ? null : new[] { name, Path.Combine(folder, name) }.FirstOrDefault(candidate => FileStamp.Of(candidate) is not null);

    private static void CheckListSize(string path, FileStamp stamp)
    {
        if (stamp.Size > InputListFile.MaxBytes)
        {
            throw new QpcFormatException($"'{path}' has {stamp.Size} bytes, too many for a list of files", 0);
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Hashes lists of texts so that no two different lists have the same bytes.</summary>
    private sealed class Items : IDisposable
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public void Add(string name, params ReadOnlySpan<string> values)
        {
            Append(name);
            Append(Text(values.Length));
            foreach (string value in values)
            {
                Append(value);
            }
        }

        public string Hash() => Convert.ToHexStringLower(_hash.GetHashAndReset());

        public void Dispose() => _hash.Dispose();

        private void Append(string text)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            _hash.AppendData(BitConverter.GetBytes((long)bytes.Length));
            _hash.AppendData(bytes);
        }
    }
}
