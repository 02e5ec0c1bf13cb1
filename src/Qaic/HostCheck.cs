namespace Qaic;

/// <summary>What a check found.</summary>
public enum HostCheckStatus
{
    /// <summary>It is as it should be.</summary>
    Ok,

    /// <summary>It works, but not as well as it could, or not for long.</summary>
    Warning,

    /// <summary>Something does not work.</summary>
    Problem,

    /// <summary>There is nothing to check, because this machine does not have it and need not.</summary>
    NotApplicable,
}

/// <summary>One thing that running networks may depend on, as it is on this machine.</summary>
/// <param name="Name">What was looked at, in a few words: <c>kernel module</c>.</param>
/// <param name="Status">Whether it is well.</param>
/// <param name="Found">What is there.</param>
/// <param name="Remedy">What to do about it; null if there is nothing to be done.</param>
public sealed record HostCheck(string Name, HostCheckStatus Status, string Found, string? Remedy = null);
