using System.Text.RegularExpressions;
using Qaic.TestSupport;

namespace Qaic.Tests;

[TestClass]
public sealed partial class ArchitectureTests
{
    // Lowest first. A file may use its own layer and any layer to its left.
    private static readonly string[] s_layers = ["Options", "Interop", "Qpc", "Diagnostics", "Quantization", "Compilation", "Runtime", "Simulation", "Hosts"];

    [TestMethod]
    public void Layers_only_look_down()
    {
        var files = s_layers.Select(layer => Path.Combine(Repository.Root, "src", "Qaic", layer)).Where(Directory.Exists)
            .SelectMany(directory => Directory.GetFiles(directory, "*.cs", SearchOption.AllDirectories).Select(file => (Layer: Path.GetFileName(directory), File: file))).ToList();
        Assert.IsGreaterThan(20, files.Count, "the sources were not found");
        Assert.AreEqual("", string.Join('\n', files.SelectMany(f => Upward(f.Layer, File.ReadAllText(f.File)).Select(used => $"{f.File} uses {used}"))));
    }

    [TestMethod]
    [DataRow("Qpc", "using Qaic.Runtime;", "Runtime")]
    [DataRow("Qpc", "using static Qaic.Simulation.SimulatedCard;", "Simulation")]
    [DataRow("Interop", "using Session = Qaic.Runtime.InferenceSet;", "Runtime")]
    [DataRow("Interop", "var q = new global::Qaic.Qpc.QpcWriter();", "Qpc")]
    [DataRow("Interop", "var q = new Qpc.QpcWriter();", "Qpc")]
    [DataRow("Runtime", "using Qaic.Qpc; using Qaic.Interop; var r = new Qaic.Runtime.QaicQueue();", "")]
    [DataRow("Qpc", "// Qaic.Runtime maps it.\n/// <see cref=\"Qaic.Simulation.SimulatedCard\"/>\nvar x = \"Qaic.Runtime.dll\";", "")]
    [DataRow("Qpc", "options.Runtime.Next(); my.Qaic.Simulation.X(); new QaicRuntime.X();", "")]
    public void An_upward_reference_is_found_in_code_and_only_there(string layer, string source, string expected) =>
        Assert.AreEqual(expected, string.Join(' ', Upward(layer, source)));

    // A namespace is named after "using Qaic.", or before a type: "Qaic.Runtime.X", and "Runtime.X" from inside namespace Qaic.
    private static IEnumerable<string> Upward(string layer, string source) =>
        References().Matches(CommentOrString().Replace(source, " ")).Select(m => m.Groups["layer"].Value).Distinct()
            .Where(used => Array.IndexOf(s_layers, used) > Array.IndexOf(s_layers, layer));

    [GeneratedRegex(@"(?<![\w.])(?:Qaic\.(?<layer>[A-Z]\w*)\b|(?<layer>Options|Interop|Qpc|Diagnostics|Quantization|Compilation|Runtime|Simulation|Hosts)\.[A-Z]\w*)")]
    private static partial Regex References();

    [GeneratedRegex(@"//.*|/\*[\s\S]*?\*/|@?""(?:\\.|[^""\\\n])*""")]
    private static partial Regex CommentOrString();
}
