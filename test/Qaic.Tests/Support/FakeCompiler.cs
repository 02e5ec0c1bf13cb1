using System.Globalization;

namespace Qaic.Tests.Support;

/// <summary>A qaic-exec that a test writes, as a shell script: it answers for its version and help, notes its arguments, and then does what the test says.</summary>
internal sealed class FakeCompiler
{
    /// <summary>Does what it is asked for: a template, a profile, or a QPC in a directory that must not be there yet.</summary>
    public const string Compiles = """
        [ -n "$template" ] && { echo ' - IOName: x0' > "$template"; exit 0; }
        [ -n "$profile" ] && { echo 'GraphPreLowerHash: 1' > "$profile"; exit 0; }
        echo "Reading ONNX Model from $model"
        mkdir "$out" || exit 3
        cp "$here/good.bin" "$out/programqpc.bin" || exit 4
        echo "Generated binary is present at $out"
        """;

    /// <summary>Help of a tool of today.</summary>
    public const string Help = """
        Usage: qaic-exec [options]
          -h, -help, --help                     Show this list
          -version                              Print the version
          -m=<path>, -model=<path>              Model
          -aic-hw                               Compile for hardware
          -aic-hw-version=<2.0|ai100|ai200>     Hardware version
          -aic-num-cores=<n>                    Number of cores
          -compile-only                         Do not run
          -aic-binary-dir=<dir>                 Directory for binaries
          -onnx-define-symbol=<sym,value>       Define a symbol
          -network-specialization-config=<json> Shape sets
          -input-list-file=<txt> (with -dump-profile or -convert-to-quantize)
        """;

    /// <summary>Help of a tool of long ago.</summary>
    public const string OldHelp = "-h\n-m=<path>\n-aic-hw\n-aic-hw-version=<2.0>\n-aic-num-cores=<n>\n-compile-only\n-aic-binary-dir=<dir>\n";

    private readonly string _here;

    /// <param name="directory">Parent of the directory that it gets for itself.</param>
    /// <param name="body">What it does when it is to compile; has <c>$here $model $out $profile $template</c>.</param>
    /// <param name="name">File name.</param>
    /// <param name="help">What -h and -u print; null: it knows neither.</param>
    /// <param name="version">What -version prints; null: it does not know that.</param>
    public FakeCompiler(string directory, string body = Compiles, string name = "qaic-exec", string? help = Help, string? version = "Qaic Exec 1.20.0")
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Inconclusive("The vendor's compiler is a program for Linux, and so is what stands in for it.");
            throw new PlatformNotSupportedException();
        }

        _here = Directory.CreateDirectory(System.IO.Path.Combine(directory, $"sdk-{Guid.NewGuid():n}")).FullName;
        Path = System.IO.Path.Combine(_here, name);
        File.Move(new TestQpc().Write(_here), System.IO.Path.Combine(_here, "good.bin"));
        const string Refuse = """{ echo "Invalid option $1. Use -h, -help, or --help for list of options." >&2; exit 255; }""";
        File.WriteAllText(System.IO.Path.Combine(_here, "help"), help ?? "");
        File.WriteAllText(Path, $$"""
            #!/bin/sh
            here='{{_here}}'
            case "$1" in
            -version) echo "$1" >> "$here/asked"; {{(version is null ? Refuse : $"echo '{version}'; exit 0;")}} ;;
            -h|-u) echo "$1" >> "$here/asked"; {{(help is null ? Refuse : "cat \"$here/help\"; exit 0;")}} ;;
            esac
            n=0
            set -C
            until { printf '%s\n' "$@" > "$here/argv$n"; } 2>/dev/null; do n=$((n + 1)); [ $n -lt 100 ] || exit 99; done
            set +C
            for a in "$@"; do
              case "$a" in
              -m=*) model="${a#*=}" ;;
              -aic-binary-dir=*) out="${a#*=}" ;;
              -dump-profile=*) profile="${a#*=}" ;;
              -dump-custom-IO-config-template=*) template="${a#*=}" ;;
              esac
            done
            {{body}}
            """);
        File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>The executable.</summary>
    public string Path { get; }

    /// <summary>Number of runs, questions for version and help not counted.</summary>
    public int Runs => Directory.GetFiles(_here, "argv*").Length;

    /// <summary>What it was asked about itself, in order.</summary>
    public string Asked => System.IO.Path.Combine(_here, "asked") is var file && File.Exists(file) ? string.Join(' ', File.ReadAllLines(file)) : "";

    /// <summary>A file beside it.</summary>
    public string Beside(string name) => System.IO.Path.Combine(_here, name);

    /// <summary>Arguments of a run, one for each, exactly.</summary>
    public string[] Arguments(int run = 0) => File.ReadAllLines(System.IO.Path.Combine(_here, string.Create(CultureInfo.InvariantCulture, $"argv{run}")));

    /// <summary>A pipe with a name, beside it.</summary>
    public string Pipe(string name)
    {
        CCompiler.Run("mkfifo", [Beside(name)]);
        return Beside(name);
    }
}
