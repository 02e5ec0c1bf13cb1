using System.Text.RegularExpressions;
using Qaic.Interop;

namespace Qaic.ML.Tests.Faults;

/// <summary>One thread of the campaign: runs what it is given through all acts, and keeps account of what came of it.</summary>
internal abstract class FaultPlayer(Acts acts, string name)
{
    private readonly List<QaicException>[] _errors = [[], [], []];
    private volatile string _step = "not begun";

    /// <summary>Its name, and what it is doing; for the report of a hang.</summary>
    public string Step => $"{name}: {_step}";

    /// <summary>What went wrong with the player itself; null if nothing.</summary>
    public Exception? Defect { get; private set; }

    /// <summary>Errors that it was told in an act.</summary>
    public IReadOnlyList<QaicException> Errors(int act) => _errors[act];

    /// <summary>Works on its thread.</summary>
    public Thread Start()
    {
        var thread = new Thread(Work) { IsBackground = true, Name = name };
        thread.Start();
        return thread;
    }

    /// <summary>Does an act's part of the work.</summary>
    protected abstract void Play(int act);

    /// <summary>Checks that nothing was lost or came twice.</summary>
    protected abstract void Settle();

    /// <summary>Grows as long as the player gets on.</summary>
    public int Steps { get; private set; }

    protected void Now(string step)
    {
        _step = step;
        Steps++;
    }

    /// <summary>Keeps an error, and checks that it says what and where.</summary>
    protected void Told(int act, QaicException error)
    {
        _errors[act].Add(error);
        Assert.IsTrue(
            error.HResult != 0 && FaultText.SaysWhatAndWhere().IsMatch(error.Message),
            $"An error names the function, its status and the device or the remedy; this one says: {error.Message} ({error.Error}, {error.HResult})");
        Assert.AreEqual(error.Error, QStatusExtensions.Classify((QStatus)error.HResult, error.Message), error.Message);
    }

    private void Work()
    {
        int act = 0;
        try
        {
            for (; act < Acts.Count; act++)
            {
                Now($"waits for act {act}");
                acts.Await(act);
                Play(act);
                acts.End(act);
            }

            Settle();
            Now("has ended");
        }
        catch (Exception e)
        {
            // Nobody watches this thread, and the others need not wait for it.
            Defect = e;
            Now($"failed: {e.Message}");
            for (; act < Acts.Count; act++)
            {
                acts.End(act);
            }
        }
    }
}

internal static partial class FaultText
{
    [GeneratedRegex(@"qaic\w+ returned \d+ \(\w+\)\. The library says: .+\. [A-Z].+\.|All devices of the session are lost: device \d+: ")]
    public static partial Regex SaysWhatAndWhere();

    [GeneratedRegex(@"Input #(\d+) of the stream failed; (\d+) results were delivered\.")]
    public static partial Regex StreamFailed();
}
