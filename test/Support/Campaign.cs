namespace Qaic.TestSupport;

/// <summary>How much of what could go on for ever is done: little every day, much when <c>QAIC_TEST_CAMPAIGN=1</c> is set.</summary>
internal static class Campaign
{
    /// <summary>The number for today.</summary>
    public static int Size(int everyDay, int campaign) => Environment.GetEnvironmentVariable("QAIC_TEST_CAMPAIGN") == "1" ? campaign : everyDay;
}
