using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Qaic.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests.Interop;

/// <summary>The structs that cross into C lie as C lays them out. One missed byte is a corrupted inference, not an error message.</summary>
[TestClass]
public sealed class LayoutTests
{
    // Every struct of the interop layer but the ones nested in others.
    private static IEnumerable<Type> Structs => typeof(QBuffer).Assembly.GetTypes().Where(t => t is { IsValueType: true, IsEnum: false, IsNested: false, Namespace: "Qaic.Interop" });

    [TestMethod]
    [DataRow(nameof(QBuffer), 32)]
    [DataRow(nameof(QData), 16)]
    [DataRow(nameof(QBufferDimensions), 16)]
    [DataRow(nameof(QAicQueueProperties), 8)]
    [DataRow(nameof(QAicQpcInfo), 32)]
    [DataRow(nameof(QAicQpcProgramInfo), 120)]
    [DataRow(nameof(QAicQpcConstantsInfo), 72)]
    [DataRow(nameof(QAicIoBufferInfo), 16)]
    [DataRow(nameof(QAicBufferMappings), 32)]
    [DataRow(nameof(QResourceInfo), 56)]
    [DataRow(nameof(QDevInfo), 1160)]
    public void A_struct_has_the_size_that_was_observed(string name, int size) => Assert.AreEqual(size, Marshal.SizeOf(Find(name)));

    [TestMethod]
    [DataRow(nameof(QBuffer), "Buf", 8)]
    [DataRow(nameof(QBuffer), "Handle", 16)]
    [DataRow(nameof(QBuffer), "Offset", 24)]
    [DataRow(nameof(QBuffer), "Type", 28)]
    [DataRow(nameof(QData), "Data", 8)]
    [DataRow(nameof(QBufferDimensions), "Dims", 8)]
    [DataRow(nameof(QAicBufferMappings), "IsPartialBufferAllowed", 20)]
    [DataRow(nameof(QAicBufferMappings), "DataType", 24)]
    [DataRow(nameof(QAicQpcInfo), "ProgramInfo", 8)]
    [DataRow(nameof(QAicQpcInfo), "ConstantsInfo", 24)]
    [DataRow(nameof(QAicQpcProgramInfo), "IoBufferInfo", 80)]
    [DataRow(nameof(QAicQpcProgramInfo), "IoBufferInfoDma", 96)]
    [DataRow(nameof(QAicQpcProgramInfo), "BatchSize", 112)]
    [DataRow(nameof(QResourceInfo), "DramTotal", 8)]
    [DataRow(nameof(QResourceInfo), "VcTotal", 24)]
    [DataRow(nameof(QResourceInfo), "NspTotal", 26)]
    [DataRow(nameof(QResourceInfo), "NspFree", 27)]
    [DataRow(nameof(QResourceInfo), "McidTotal", 28)]
    [DataRow(nameof(QResourceInfo), "SkuType", 46)]
    [DataRow(nameof(QDevInfo), "Qid", 432)]
    [DataRow(nameof(QDevInfo), "ResourceInfo", 800)]
    [DataRow(nameof(QDevInfo), "Name", 1092)]
    public void A_field_has_the_offset_that_was_observed(string name, string field, int offset) => Assert.AreEqual(offset, (int)Marshal.OffsetOf(Find(name), field));

    [TestMethod]
    public void The_C_compiler_puts_every_field_of_every_struct_where_the_managed_one_has_it()
    {
        string program = CCompiler.Compile("layout.c", Path.Combine(Path.GetTempPath(), $"qaic-layout-{Guid.NewGuid():n}"));
        string[] native = CCompiler.Run(program, []).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        File.Delete(program);
        string[] managed = [.. Structs.SelectMany(Describe)];
        Assert.IsGreaterThan(50, managed.Length);
        CollectionAssert.AreEquivalent(native, managed, $"Only in C: {string.Join("; ", native.Except(managed))}. Only managed: {string.Join("; ", managed.Except(native))}.");
    }

    [TestMethod]
    public void Room_for_what_the_library_fills_exceeds_every_known_size()
    {
        Assert.IsGreaterThan(10 * Marshal.SizeOf<QDevInfo>(), QDevInfo.Capacity);
        Assert.IsGreaterThan(10 * 24, QaicApi.ProgramPropertiesCapacity);
    }

    private static Type Find(string name) => Structs.Single(t => t.Name == name);

    private static IEnumerable<string> Describe(Type type) =>
        type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
            .Select(f => string.Create(CultureInfo.InvariantCulture, $"{type.Name} {f.Name} {Marshal.OffsetOf(type, f.Name)}"))
            .Prepend(string.Create(CultureInfo.InvariantCulture, $"{type.Name} - {Marshal.SizeOf(type)}"));
}
