using System.Globalization;
using System.Text.RegularExpressions;
using Qaic.ML.Tests.Support;

namespace Qaic.ML.Tests.Faults;

/// <summary>Runs inferences through a session in one of the ways there are. Every answer tells which question it belongs to.</summary>
internal sealed class InferencePlayer(Acts acts, Session session, int number, int inferences) : FaultPlayer(acts, $"inferences {(Way)(number % 4)} {number}")
{
    private const int Elements = 12;
    private const int StreamLength = 8;

    private readonly int[] _answers = new int[inferences];
    private readonly int[] _refusals = new int[inferences];

    private enum Way
    {
        Run,
        RunAsync,
        Slots,
        Stream,
    }

    /// <summary>The input of a question: no two questions of a campaign share an element.</summary>
    public static float[] Question(int player, int index) => [.. Enumerable.Range(0, Elements).Select(e => -((((player * 10_000f) + index) * Elements) + e + 1))];

    protected override void Play(int act)
    {
        int first = inferences * act / Acts.Count;
        int end = inferences * (act + 1) / Acts.Count;
        for (int i = first; i < end;)
        {
            Now($"question {i} of act {act}");
            i += Ask(act, i, end);
        }
    }

    protected override void Settle()
    {
        for (int i = 0; i < inferences; i++)
        {
            Assert.AreEqual(1, _answers[i] + _refusals[i], $"Question {i} was answered {_answers[i]} times and refused {_refusals[i]} times.");
        }
    }

    // Asks one question or several, and returns how many.
    private int Ask(int act, int first, int end)
    {
        switch ((Way)(number % 4))
        {
            case Way.Stream:
                int count = Math.Min(StreamLength, end - first);
                AskStream(act, first, count);
                return count;
            case Way.Slots:
                AskInPlace(act, first);
                return 1;
            case Way.Run:
                AskOnce(act, first, y => session.Run<float, float>(Question(number, first), y));
                return 1;
            default:
                AskOnce(act, first, y => session.RunAsync<float, float>(Question(number, first), y).AsTask().GetAwaiter().GetResult());
                return 1;
        }
    }

    private void AskOnce(int act, int index, Action<float[]> run)
    {
        float[] y = new float[Elements];
        try
        {
            run(y);
            Answered(index, y);
        }
        catch (QaicException e)
        {
            Refused(act, index, e);
            CollectionAssert.AreEqual(new float[Elements], y, "A failed inference has written outputs.");
        }
    }

    private void AskInPlace(int act, int index)
    {
        try
        {
            for (; ; )
            {
                using Inference slot = session.Rent();
                Question(number, index).CopyTo(slot.Input<float>(0));
                if (slot.TrySubmit())
                {
                    slot.Wait();
                    Answered(index, slot.Output<float>(0));
                    return;
                }
            }
        }
        catch (QaicException e)
        {
            Refused(act, index, e);
        }
    }

    private void AskStream(int act, int first, int count)
    {
        IEnumerable<IReadOnlyDictionary<string, Tensor>> questions = Enumerable.Range(first, count)
            .Select(i => new Dictionary<string, Tensor> { ["x"] = Tensor.Create(Question(number, i), 4, 3) });
        bool ordered = first / StreamLength % 2 == 0;
        int delivered = 0;
        Read().GetAwaiter().GetResult();

        async Task Read()
        {
            try
            {
                await foreach (StreamResult result in session.RunStreamAsync(questions, ordered))
                {
                    Assert.IsTrue(!ordered || result.Index == delivered, $"Result {result.Index} came as number {delivered}.");
                    delivered++;
                    Answered(first + (int)result.Index, result.Outputs["y"].AsSpan<float>());
                }
            }
            catch (QaicException e)
            {
                // The error accounts for what is missing.
                Match says = FaultText.StreamFailed().Match(e.Message);
                Assert.IsTrue(says.Success, e.Message);
                Assert.AreEqual(delivered, int.Parse(says.Groups[2].ValueSpan, CultureInfo.InvariantCulture), e.Message);
                Assert.AreEqual(0, _answers[first + int.Parse(says.Groups[1].ValueSpan, CultureInfo.InvariantCulture)], e.Message);
                Told(act, e);
                for (int i = first; i < first + count; i++)
                {
                    _refusals[i] += _answers[i] == 0 ? 1 : 0;
                }
            }
        }
    }

    private void Answered(int index, ReadOnlySpan<float> y)
    {
        float[] x = Question(number, index);
        for (int e = 0; e < Elements; e++)
        {
            Assert.AreEqual((2 * x[e]) + 1, y[e], $"Element {e} of the answer to question {index}");
        }

        _answers[index]++;
    }

    private void Refused(int act, int index, QaicException error)
    {
        Told(act, error);
        _refusals[index]++;
    }
}
