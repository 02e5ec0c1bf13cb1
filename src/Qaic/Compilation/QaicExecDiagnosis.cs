using System.Globalization;
using System.Text.RegularExpressions;
using Qaic.Options;

namespace Qaic.Compilation;

/// <summary>Recognises, in what the compiler prints, the messages whose remedy is known.</summary>
/// <remarks>Reads along, because the message that counts may be followed by megabytes of others. The wording is that of the SDKs and of Glow, their ancestor.</remarks>
/// <param name="arguments">What the compiler was given.</param>
internal sealed partial class QaicExecDiagnosis(IReadOnlyList<CompilerArgument> arguments)
{
    // In the order of how much they explain: the first that is found is the answer, whichever came first. An unsupported operator, for example, is
    // followed by a graph that cannot be made, and that by an abort.
    private static readonly CompilationError[] s_order =
    [
        CompilationError.UnknownOption,
        CompilationError.SpecializationFormat,
        CompilationError.MissingSymbol,
        CompilationError.ProfileMismatch,
        CompilationError.UnsupportedOperator,
        CompilationError.GraphVerification,
        CompilationError.ModelLoad,
        CompilationError.OutOfMemory,
        CompilationError.Crashed,
    ];

    private readonly Dictionary<CompilationError, (string Line, string Explanation)> _found = [];

    /// <summary>Looks at one line of output.</summary>
    public void Observe(string line)
    {
        if (UnknownOption().Match(line) is { Success: true } option)
        {
            Add(CompilationError.UnknownOption, line, Unknown(option.Groups["flag"].Value));
        }

        if (line.Contains("type must be string, but is object", StringComparison.Ordinal)
            || (line.Contains("json.exception", StringComparison.Ordinal) && arguments.Any(a => a.Flag == "network-specialization-config")))
        {
            Add(
                CompilationError.SpecializationFormat,
                line,
                "it does not understand the file with the shape sets (NetworkSpecializationConfig, network_specialization_config). The form that all versions read is "
                + "{\"specializations\":[{\"batch_size\":\"1\",\"seq_len\":\"128\"}, …]} with all values as strings; the form with \"name\" and \"symbols\" needs the newest SDK. The option Specializations writes the first");
        }

        if (MissingSymbol(line) is { } missing)
        {
            Add(CompilationError.MissingSymbol, line, missing);
        }

        if (line.Contains("Graph hash mismatch", StringComparison.OrdinalIgnoreCase))
        {
            Add(
                CompilationError.ProfileMismatch,
                line,
                "the quantization profile (LoadProfile, load_profile) was made from another graph. Make it again from this model, with the same batch size, symbols, node precisions and version of the tool (DumpProfile, dump_profile)");
        }

        if (Operator().Match(line) is { Success: true } op)
        {
            Add(
                CompilationError.UnsupportedOperator,
                line,
                $"it cannot take the operator {op.Groups["name"].Value} as the model has it. '<compiler> -operators-supported=onnx' lists what it can; export the model with another opset, replace the operator, or use a newer SDK");
        }

        if (line.Contains("Function verification failed", StringComparison.Ordinal) || line.Contains("From 'QAicGraph'", StringComparison.Ordinal))
        {
            string node = GraphNode().Match(line) is { Success: true } m ? $" at '{m.Groups["node"].Value}'" : "";
            Add(
                CompilationError.GraphVerification,
                line,
                $"the graph that it made of the model is faulty{node}. Check the model with onnx.checker and the shapes and types there; a simplified export (constants folded, shapes fixed) often helps");
        }

        if (line.Contains("Unable to AddNodesToGraphFromModel", StringComparison.Ordinal))
        {
            Add(CompilationError.ModelLoad, line, "it cannot read the model. Check it with onnx.checker, and that files with external data are beside it");
        }

        if (line.Contains("bad_alloc", StringComparison.Ordinal)
            || line.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
            || line.Contains("Cannot allocate memory", StringComparison.OrdinalIgnoreCase))
        {
            Add(CompilationError.OutOfMemory, line, $"memory ran out. {MoreMemory}");
        }

        if (HeapText().IsMatch(line) || line.Contains("Segmentation fault", StringComparison.Ordinal))
        {
            Add(CompilationError.Crashed, line, $"it crashed. {CrashRemedy}");
        }
    }

    /// <summary>The answer, once the compiler has ended with <paramref name="exitCode"/>.</summary>
    /// <returns>The error; a clause of what is wrong and a sentence of what to do, without the last stop; and the line that told, null if none did.</returns>
    public (CompilationError Error, string Explanation, string? Line) Explain(int exitCode)
    {
        // No message of a program ends in SIGKILL: somebody else sent it.
        if (exitCode == 137)
        {
            return (CompilationError.OutOfMemory, $"the system ended it (SIGKILL), which it does when memory runs out. {MoreMemory}", null);
        }

        foreach (CompilationError error in s_order)
        {
            if (_found.TryGetValue(error, out (string Line, string Explanation) found))
            {
                return (error, found.Explanation, found.Line);
            }
        }

        return exitCode > 128 && exitCode <= 128 + 31
            ? (CompilationError.Crashed, $"{Signal(exitCode - 128)} ended it. {CrashRemedy}", null)
            : (CompilationError.Other, string.Create(CultureInfo.InvariantCulture, $"it ended with exit code {exitCode}"), null);
    }

    private const string MoreMemory = "Compile on a machine with more memory, or with fewer threads (CompileThreads, compile_threads)";
    private const string CrashRemedy = "Leave out options one by one to find the one that matters, or use another version of the SDK, and report it to the vendor";

    private void Add(CompilationError error, string line, string explanation) => _found.TryAdd(error, (line, explanation));

    private string Unknown(string flag)
    {
        CompilerArgument? argument = arguments.Where(a => a.Flag.Equals(flag, StringComparison.OrdinalIgnoreCase)).Select(a => (CompilerArgument?)a).FirstOrDefault();
        return argument is { Keyword.Length: > 0 } a
            ? $"it does not know the flag -{flag}, which is from option {(OptionTable.Find(a.Keyword)?.ToString() ?? a.Keyword)}. Leave the option out, or use an SDK that has it"
            : $"it does not know the flag -{flag}. Use an SDK that has it";
    }

    private string? MissingSymbol(string line)
    {
        foreach (Match match in DefineSymbol().Matches(line))
        {
            string symbol = match.Groups["symbol"].Value.Trim();

            // A verbose compiler repeats its command line.
            if (arguments.Any(a => a.Flag == "onnx-define-symbol" && a.Text.StartsWith($"-onnx-define-symbol={symbol},", StringComparison.Ordinal)))
            {
                continue;
            }

            bool isPlaceholder = symbol.StartsWith('<');
            return isPlaceholder
                ? "a symbolic dimension of the model has no value. Give all of them in OnnxDefineSymbol (onnx_define_symbol)"
                : $"the symbolic dimension '{symbol}' has no value. Add it to OnnxDefineSymbol (onnx_define_symbol): OnnxDefineSymbol = ….Add(\"{symbol}\", 1)";
        }

        return null;
    }

    private static string Signal(int number) => number switch
    {
        4 => "SIGILL (an instruction that this processor does not have)",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        11 => "SIGSEGV",
        15 => "SIGTERM, sent by somebody else,",
        _ => string.Create(CultureInfo.InvariantCulture, $"Signal {number}"),
    };

    [GeneratedRegex(@"\b(?:Invalid|Unknown) option:?\s+['""]?--?(?<flag>[A-Za-z][\w-]*)", RegexOptions.IgnoreCase)]
    private static partial Regex UnknownOption();

    [GeneratedRegex(@"\[Operator-'(?<name>[^']+)',\s*opset_version")]
    private static partial Regex Operator();

    [GeneratedRegex(@"In '(?<node>[^']+)' From 'QAicGraph'")]
    private static partial Regex GraphNode();

    [GeneratedRegex(@"onnx-define-symbol[=\s]\s*['""]?(?<symbol><[^>]*>|[^,<>'""]+)\s*,")]
    private static partial Regex DefineSymbol();

    // What glibc says before it aborts.
    [GeneratedRegex(@"(?:malloc|free|realloc|calloc)\(\): \w|malloc_consolidate|double free|corrupted (?:size|double-linked|unsorted)|munmap_chunk")]
    private static partial Regex HeapText();
}
