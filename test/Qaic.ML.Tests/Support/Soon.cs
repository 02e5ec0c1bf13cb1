namespace Qaic.ML.Tests.Support;

/// <summary>Turns a test that would hang into one that fails.</summary>
internal static class Soon
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    /// <summary>Runs the body on another thread, which is given up if it does not come back.</summary>
    public static void Ends(Action body)
    {
        Exception? error = null;
        var thread = new Thread(() =>
        {
            try
            {
                body();
            }
            catch (Exception e)
            {
                error = e;
            }
        })
        { IsBackground = true };
        thread.Start();
        Assert.IsTrue(thread.Join(s_patience), $"It did not end within {s_patience}: somebody waits for a slot that nobody will give back.");
        if (error is not null)
        {
            throw new AssertFailedException(error.Message, error);
        }
    }
}
