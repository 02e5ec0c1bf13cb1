using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace Qaic.ML.Tests;

/// <summary>Fails when ML.NET moves what MlNetInternals.cs stands on.</summary>
[TestClass]
public sealed class MlNetInternalsTests
{
    private const BindingFlags Any = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance;

    private static readonly Assembly s_core = typeof(IHostEnvironment).Assembly;

    [TestMethod]
    public void The_packages_own_assembly_runs_not_the_publicized_copy()
    {
        Assert.IsFalse(s_core.GetType("Microsoft.ML.ModelLoadContext", throwOnError: true)!.IsPublic);
        Assert.IsFalse(typeof(ModelSaveContext).GetMethod("SetVersionInfo", Any)!.IsPublic);
    }

    [TestMethod]
    [DataRow("ModelSaveContext", "CheckAtModel", "")]
    [DataRow("ModelSaveContext", "SetVersionInfo", "VersionInfo")]
    [DataRow("ModelSaveContext", "SaveBinaryStream", "String, Action`1")]
    [DataRow("ModelLoadContext", "CheckAtModel", "VersionInfo")]
    [DataRow("ModelLoadContext", "TryLoadBinaryStream", "String, Action`1")]
    [DataRow("VersionInfo", ".ctor", "String, UInt32, UInt32, UInt32, String, String, String")]
    [DataRow("LoadableClassAttribute", ".ctor", "Type, Type, Type, Type, String, String[]")]
    [DataRow("SignatureLoadModel", "Invoke", "ModelLoadContext")]
    public void ML_NET_still_has_what_we_use(string type, string member, string parameters)
    {
        MemberInfo[] members = s_core.GetType($"Microsoft.ML.{type}", throwOnError: true)!.GetMember(member, Any);
        CollectionAssert.Contains(members.Cast<MethodBase>().Select(m => string.Join(", ", m.GetParameters().Select(p => p.ParameterType.Name))).ToArray(), parameters);
    }

    [TestMethod]
    public void The_attributes_that_make_models_loadable_are_seen_by_reflection()
    {
        object[] attributes = typeof(QaicTransformer).Assembly.GetCustomAttributes(s_core.GetType("Microsoft.ML.LoadableClassAttribute", throwOnError: true)!, inherit: false);
        Assert.HasCount(2, attributes);
    }

    [TestMethod]
    public void A_catalog_leads_to_its_context()
    {
        var ml = new MLContext();
        var messages = new List<string>();
        ml.Log += (_, e) => messages.Add(e.RawMessage);
        using (IChannel channel = MlNetInternals.EnvironmentOf(ml.Transforms).Start("test"))
        {
            channel.Info(MessageSensitivity.None, "heard");
        }

        CollectionAssert.Contains(messages, "heard");
    }
}
