using Microsoft.Extensions.Logging;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Says where the names of another tool's profile and those of a model differ. That they do is no error: such profiles hold the names of a lowered graph.</summary>
internal static partial class ProfileCoverage
{
    // Stands for what the tool inserted itself.
    private const string Placeholder = "CI_QP_";

    /// <param name="graph">The prepared model.</param>
    /// <param name="profile">The profile. Of one whose hash says that it is this model's, all names are known.</param>
    /// <param name="logger">Is warned.</param>
    public static void Report(FloatGraph graph, QuantizationProfile profile, ILogger logger)
    {
        if (profile.IsHashComparable)
        {
            return;
        }

        HashSet<string> known = [.. graph.Activations.Concat(graph.Constants).Select(t => t.ProfileName), .. graph.InnerProfileNames];
        string[] unknown = [.. profile.Tensors.Select(t => t.Name).Where(n => !known.Contains(n) && !n.StartsWith(Placeholder, StringComparison.Ordinal))];
        if (unknown.Length > 0)
        {
            UnknownNames(logger, unknown.Length, profile.Tensors.Count, graph.Model.Source, ActivationRanges.Sample(unknown));
        }

        string[] missing = [.. graph.Activations.Select(t => t.ProfileName).Where(n => profile.Find(n) is null)];
        if (missing.Length > 0)
        {
            MissingNames(logger, missing.Length, graph.Activations.Count, graph.Model.Source, ActivationRanges.Sample(missing));
        }
    }

    [LoggerMessage(EventId = 4032, Level = LogLevel.Warning, Message = "{Count} of the {All} names in the profile are not in {Model}, and are not used: {Names}. A lowered graph has such names; if there should be none, the profile is of another model")]
    private static partial void UnknownNames(ILogger logger, int count, int all, string model, string names);

    [LoggerMessage(EventId = 4033, Level = LogLevel.Warning, Message = "{Count} of the {All} activations of {Model} have no range in the profile, and stay float unless a tensor with the same numbers has one: {Names}")]
    private static partial void MissingNames(ILogger logger, int count, int all, string model, string names);
}
