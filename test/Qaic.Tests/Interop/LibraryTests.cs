using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Qaic.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests.Interop;

/// <summary>Finding, loading and binding the vendor's library.</summary>
[TestClass]
public sealed unsafe class LibraryTests
{
    private const BindingFlags Fields = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    [TestMethod]
    public void A_complete_library_fills_every_field_of_the_table()
    {
        QaicApi api = NativeFake.Build().Platform.Api;
        FieldInfo[] fields = typeof(QaicApi).GetFields(Fields);
        string[] empty = [.. fields.Where(f => Address(f, api) == 0).Select(f => f.Name)];
        Assert.IsGreaterThanOrEqualTo(26, fields.Length);
        Assert.IsEmpty(empty, $"not bound: {string.Join(", ", empty)}");
    }

    [TestMethod]
    public void Every_field_is_bound_to_the_function_of_its_name()
    {
        NativeFake fake = NativeFake.Build();
        nint library = NativeLibrary.Load(fake.Path);
        foreach (FieldInfo field in typeof(QaicApi).GetFields(Fields))
        {
            Assert.AreEqual(NativeLibrary.GetExport(library, "qaic" + field.Name), Address(field, fake.Platform.Api), field.Name);
        }
    }

    [TestMethod]
    public void Core_functions_that_are_missing_are_all_named_with_the_library()
    {
        NativeFake fake = NativeFake.Build(NativeFake.Without("qaicEnqueueExecObj"), NativeFake.Without("qaicCreateContext"));
        QaicException e = Assert.ThrowsExactly<QaicException>(() => fake.Platform);
        Assert.AreEqual(QaicError.LibraryNotAvailable, e.Error);
        Assert.StartsWith($"{fake.Path} (the path that was given) lacks qaicCreateContext, qaicEnqueueExecObj, ", e.Message);
        Assert.Contains("1.8", e.Message);
    }

    [TestMethod]
    [DataRow("qaicOpenQpc")]
    [DataRow("qaicOpenQpcFile")]
    public void One_way_to_open_a_QPC_is_enough(string missing) => Assert.IsFalse(NativeFake.Build(NativeFake.Without(missing)).Platform.IsSimulated);

    [TestMethod]
    public void A_library_that_cannot_open_a_QPC_is_refused()
    {
        NativeFake fake = NativeFake.Build(NativeFake.Without("qaicOpenQpc"), NativeFake.Without("qaicOpenQpcFile"));
        Assert.Contains("lacks qaicOpenQpcFile or qaicOpenQpc,", Assert.ThrowsExactly<QaicException>(() => fake.Platform).Message);
    }

    [TestMethod]
    public void Optional_functions_that_are_missing_are_null()
    {
        string[] optional = ["ExecObjSetDataExt", "GetAicVersion", "GetDeviceInfo", "GetResourceInfo", "QpcGetInfo", "ProgramGetIoBufferInfo", "SetLogLevel"];
        Platform platform = NativeFake.Build([.. optional.Select(name => NativeFake.Without("qaic" + name))]).Platform;
        CollectionAssert.AreEquivalent(optional, typeof(QaicApi).GetFields(Fields).Where(f => Address(f, platform.Api) == 0).Select(f => f.Name).ToArray());
        Assert.IsFalse(platform.TakesLogUser);
    }

    [TestMethod]
    public void The_name_has_the_version_and_the_file()
    {
        NativeFake fake = NativeFake.Build();
        Assert.AreEqual($"libQAic.so 10.7 ({fake.Path})", fake.Platform.Name);
        fake = NativeFake.Build(NativeFake.Without("qaicGetAicVersion"));
        Assert.AreEqual($"libQAic.so ({fake.Path})", fake.Platform.Name);
    }

    [TestMethod]
    public void The_version_is_logged_once_and_to_somebody_who_listens()
    {
        Platform platform = NativeFake.Build("FAKE_DEVICES=3").Platform;
        RecordingLogger deaf = new(LogLevel.Warning), first = new(), second = new();
        foreach (RecordingLogger logger in new[] { deaf, first, second })
        {
            platform.Announce(logger);
        }

        Assert.Contains("version 10.7, patch '3', variant 'fake'", first.Of(LogLevel.Information).Single());
        Assert.IsTrue(deaf.Entries.IsEmpty && second.Entries.IsEmpty);
    }

    [TestMethod]
    public void Loading_the_same_file_again_yields_the_same_platform() => Assert.AreSame(NativeFake.Build().Platform, NativeFake.Build().Platform);

    [TestMethod]
    public void A_bare_name_is_left_to_the_loader_and_the_file_it_found_is_told()
    {
        NativeFake fake = NativeFake.BuildNamed("libqaic-under-test.so.1");
        _ = fake.Platform;
        QaicLibrary library = QaicLibrary.Load([new("libqaic-under-test.so.1", "the loader's search path")]);
        Assert.AreEqual(fake.Path, library.Path);
    }

    [TestMethod]
    public void The_search_goes_from_the_SDK_to_the_loader()
    {
        Assert.AreEqual(
            "/opt/qti-aic/dev/lib/x86_64/libQAic.so (the SDK's directory), libQAic.so (the loader's search path)", string.Join(", ", LibraryCandidate.For(null, null, Architecture.X64)));
        Assert.AreEqual("/opt/qti-aic/dev/lib/aarch64/libQAic.so", LibraryCandidate.For(null, "", Architecture.Arm64)[0].Path);
        Assert.AreEqual("libQAic.so", LibraryCandidate.For(null, null, Architecture.LoongArch64).Single().Path);
    }

    [TestMethod]
    public void An_explicit_choice_is_the_only_candidate()
    {
        Assert.AreEqual("/a/b.so (QAIC_LIB)", LibraryCandidate.For(null, "/a/b.so", Architecture.X64).Single().ToString());
        Assert.AreEqual("/c/d.so (the path that was given)", LibraryCandidate.For("/c/d.so", "/a/b.so", Architecture.X64).Single().ToString());
    }

    [TestMethod]
    public void The_environment_variable_chooses_the_library()
    {
        NativeFake fake = NativeFake.Build("FAKE_DEVICES=2");
        WithEnvironment(fake.Path, () => Assert.AreSame(fake.Platform, Platform.Native()));
        WithEnvironment("/nowhere/libQAic.so", () =>
        {
            QaicException e = Assert.ThrowsExactly<QaicException>(() => Platform.Native());
            Assert.AreEqual(QaicError.LibraryNotAvailable, e.Error);
            Assert.Contains("/nowhere/libQAic.so (QAIC_LIB): no such file", e.Message);
        });
    }

    [TestMethod]
    public void Every_path_that_was_tried_is_told_with_the_reason()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-test-");
        string text = Path.Combine(directory.FullName, "text.so");
        File.WriteAllText(text, "not a library");
        string message = Assert.ThrowsExactly<QaicException>(() => QaicLibrary.Load(
            [new(directory.FullName, "one"), new(text, "two"), new("libqaic-that-nobody-has.so", "three"), new("/nowhere/libQAic.so", "four")])).Message;
        directory.Delete(recursive: true);
        Assert.Contains($"{directory.FullName} (one): a directory, not the file libQAic.so", message);
        StringAssert.Matches(message, new Regex(@"text\.so \(two\): .*(short|ELF|format)", RegexOptions.IgnoreCase));
        StringAssert.Matches(message, new Regex(@"libqaic-that-nobody-has\.so \(three\): .*No such file", RegexOptions.IgnoreCase));
        Assert.Contains("/nowhere/libQAic.so (four): no such file", message);
        Assert.Contains("set QAIC_LIB", message);
        Assert.DoesNotContain("LD_DEBUG", message, "the framework's general advice");
    }

    [TestMethod]
    public void An_empty_path_is_the_callers_mistake() => Assert.ThrowsExactly<ArgumentException>(() => Platform.Native(" "));

    private static void WithEnvironment(string value, Action action)
    {
        string? before = Environment.GetEnvironmentVariable("QAIC_LIB");
        Environment.SetEnvironmentVariable("QAIC_LIB", value);
        try
        {
            action();
        }
        finally
        {
            Environment.SetEnvironmentVariable("QAIC_LIB", before);
        }
    }

    private static nint Address(FieldInfo field, QaicApi api) => (nint)field.GetValue(api)!;
}
