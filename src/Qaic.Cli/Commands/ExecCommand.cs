using System.CommandLine;
using System.Runtime.InteropServices;
using Qaic.Cli.Exec;
using Qaic.Compilation;
using Qaic.OnnxRuntime;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic exec</c>: the vendor compiler's own command line.</summary>
internal static class ExecCommand
{
    private const string UnsupportedVariable = "QAIC_COMPILER_OPTS_UNSUPPORTED";

    // What older tools write beside the QPC, and cannot write again.
    private const string OldConstants = "constants.bin";

    /// <summary>For the list of commands and its help only; <see cref="Run"/> gets the arguments as they are.</summary>
    public static Command Create(ToolConsole console)
    {
        _ = console;
        return new("exec", "Compiles with the vendor compiler's own command line, for the simulated card: qaic exec -m=model.onnx -aic-hw -convert-to-fp16 -aic-binary-dir=qpc -compile-only. 'qaic exec -h' lists its flags.");
    }

    /// <summary>Does what the vendor's compiler does with these arguments.</summary>
    public static int Run(ToolConsole console, string[] args)
    {
        using var stop = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            return Execute(console, ExecCommandLine.Parse(args, Environment.GetEnvironmentVariable(UnsupportedVariable)), stop.Token);
        }
        catch (UsageException e)
        {
            console.Error.WriteLine(e.Message);
            return QaicTool.WrongUsage;
        }
        catch (CompilationException e)
        {
            console.Error.WriteLine($"QAIC_ERROR: {e.Message}");
            return QaicTool.Failure;
        }

        void Stop(PosixSignalContext signal) => Interrupt(signal, stop);
    }

    /// <summary>The first signal asks for an orderly end; the second is left to the system, which ends the process.</summary>
    internal static void Interrupt(PosixSignalContext signal, CancellationTokenSource stop)
    {
        signal.Cancel = !stop.IsCancellationRequested;
        stop.Cancel();
    }

    private static int Execute(ToolConsole console, ExecCommandLine line, CancellationToken cancellationToken)
    {
        var compiler = new EmbeddedCompiler();
        if (line.IsHelp || line.IsUsage)
        {
            console.Output.Write(line.IsUsage ? ExecHelp.Long() : ExecHelp.Short());
            return QaicTool.Success;
        }

        if (line.IsVersion)
        {
            console.Output.WriteLine($"qaic exec, {compiler.Name} compiler {compiler.Version}");
            return QaicTool.Success;
        }

        if (line.OperatorsSupported is { } kind)
        {
            return OnnxOperators.Write(console, kind);
        }

        string model = line.Model ?? throw new UsageException("There is no model to compile. Give it with -m=<path>.");
        if (!File.Exists(model))
        {
            throw new FileNotFoundException($"There is no model '{model}'.", model);
        }

        QaicOptions options = WithBatch(line.Options, model);
        string? directory = options.OutputDirectory;
        if (directory is not null && File.Exists(Path.Combine(directory, OldConstants)))
        {
            throw new IOException($"'{directory}' (-aic-binary-dir) holds an older {OldConstants}, which the vendor's tool does not overwrite either. Delete the directory first.");
        }

        var log = new ToolLog(console, line.IsVerbose);
        CompileCommand.Warn(line.Runs && !line.Profiles ? options with { InputListFile = null } : options, log);
        DirectoryInfo? temporary = directory is null || options.DumpProfile is not null ? Directory.CreateTempSubdirectory("qaic-exec-") : null;
        try
        {
            console.Output.WriteLine($"Reading ONNX Model from {model}");
            console.Output.WriteLine("Compile started ............... ");
            if (options.ConvertToFp16)
            {
                console.Output.WriteLine("Compiling model with FP16 precision.");
            }

            string qpc = compiler.Compile(model, temporary?.FullName ?? directory!, options, log, cancellationToken);

            // The vendor's tool makes either a profile or a network; python's session goes on.
            if (options.DumpProfile is { } profile)
            {
                console.Output.WriteLine($"Profile is present at {profile}");
                return QaicTool.Success;
            }

            console.Output.WriteLine(temporary is null ? $"Generated binary is present at {directory}" : "The binary is not kept, because -aic-binary-dir is not given.");
            if (line.Runs)
            {
                ExecRun.Run(console, line, qpc, log, cancellationToken).GetAwaiter().GetResult();
            }

            return QaicTool.Success;
        }
        finally
        {
            temporary?.Delete(recursive: true);
        }
    }

    // The vendor's compiler takes one row where nothing is said.
    private static QaicOptions WithBatch(QaicOptions options, string model)
    {
        if (options.BatchSize is not null || options.NetworkSpecializationConfig is not null)
        {
            return options;
        }

        try
        {
            return OnnxFiles.HasOpenBatch(model, out string? symbol) && (symbol is null || !options.OnnxDefineSymbol.ContainsKey(symbol)) ? options with { BatchSize = 1 } : options;
        }
        catch (Qpc.QpcFormatException)
        {
            // The compiler says better what is wrong with the model.
            return options;
        }
    }
}
