using System.Reflection;
using System.Text.RegularExpressions;
using Qaic.Interop;
using Qaic.Native.Tests.Support;

namespace Qaic.Native.Tests;

/// <summary>The library exports what its header declares and what the runtime binds, and nothing else.</summary>
[TestClass]
public sealed partial class ExportsTests
{
    private static string[] Fields => [.. typeof(QaicApi).GetFields(BindingFlags.Instance | BindingFlags.Public).Where(f => f.FieldType.IsFunctionPointer).Select(f => "qaic" + f.Name)];

    // A declaration begins a line: "QStatus qaicLoadProgram(". Members of the table are indented.
    private static string[] Declared => [.. Declaration().Matches(File.ReadAllText(DropInLibrary.Header)).Select(m => m.Groups["name"].Value)];

    private static string[] Members => [.. Member().Matches(File.ReadAllText(DropInLibrary.Header)).Select(m => m.Groups["name"].Value)];

    [TestMethod]
    public void Every_function_that_the_runtime_binds_is_declared_and_exported()
    {
        Assert.IsGreaterThan(38, Fields.Length);
        Assert.AreEqual("", string.Join(' ', Fields.Except(Declared)), "not declared");
        Array.ForEach(Fields, f => Assert.AreNotEqual(0, DropInLibrary.Export(f)));
    }

    [TestMethod]
    public void Header_and_library_have_the_same_functions()
    {
        string[] exported = [.. CProgram.Run(CProgram.Tool("nm"), ["-D", "--defined-only", DropInLibrary.Path]).Succeeded().Output
            .Split('\n').Select(l => l.Split(' ')[^1]).Where(n => n.StartsWith("qaic", StringComparison.Ordinal))];
        CollectionAssert.AreEquivalent(Declared, exported, $"only declared: {string.Join(' ', Declared.Except(exported))}; only exported: {string.Join(' ', exported.Except(Declared))}");
    }

    [TestMethod]
    public unsafe void The_function_table_has_the_header_s_members_in_the_header_s_order()
    {
        nint* table = ((delegate* unmanaged[Cdecl]<nint*>)DropInLibrary.Export("qaicGetFunctionTable"))();
        string[] members = Members;
        Assert.AreEqual((nint)(8 * (1 + members.Length)), table[0]);
        CollectionAssert.AreEquivalent(Declared.Where(d => !d.StartsWith("qaicSim", StringComparison.Ordinal) && d != "qaicGetFunctionTable").ToArray(), members);
        for (int i = 0; i < members.Length; i++)
        {
            Assert.AreEqual(DropInLibrary.Export(members[i]), table[1 + i], members[i]);
        }
    }

    [TestMethod]
    public void The_loader_finds_it_under_the_vendors_name_and_it_needs_nothing_but_the_C_library()
    {
        string dynamic = CProgram.Run(CProgram.Tool("readelf"), ["-d", DropInLibrary.Path]).Succeeded().Output;
        Assert.Contains("soname: [libQAic.so]", dynamic);
        Assert.Contains("NODELETE", dynamic, "dlclose would take the code away from under the runtime's threads");
        string[] needed = [.. Needed().Matches(dynamic).Select(m => m.Groups["name"].Value)];
        Assert.AreEqual("", string.Join(' ', needed.Where(n => !n.StartsWith("libc.", StringComparison.Ordinal) && !n.StartsWith("libm.", StringComparison.Ordinal) && !n.StartsWith("ld-linux", StringComparison.Ordinal))));
    }

    [TestMethod]
    [DataRow("c11", "c")]
    [DataRow("c17", "c")]
    [DataRow("c++11", "c++")]
    [DataRow("c++20", "c++")]
    public void The_header_compiles_without_a_warning_as(string standard, string language)
    {
        string source = Networks.NewFile(language == "c" ? "c" : "cpp");
        File.WriteAllText(source, "#include \"qaic_sim.h\"\nint main(void) { QBuffer b = {0, 0, 0, 0, QBUFFER_TYPE_HEAP}; return (int)b.size + (int)qaicReleaseContext(0); }\n");
        CProgram.Check(source, language == "c" ? CProgram.Tool("cc", "gcc", "clang") : CProgram.Tool("c++", "g++", "clang++"), $"-std={standard}", "-Wconversion");
    }

    [GeneratedRegex(@"^(?:QStatus|uint32_t|size_t|const QAicApiFunctionTable \*)\s?(?<name>qaic\w+)\(", RegexOptions.Multiline)]
    private static partial Regex Declaration();

    [GeneratedRegex(@"^    QStatus \(\*(?<name>qaic\w+)\)\(", RegexOptions.Multiline)]
    private static partial Regex Member();

    [GeneratedRegex(@"NEEDED.*\[(?<name>[^\]]+)\]")]
    private static partial Regex Needed();
}
