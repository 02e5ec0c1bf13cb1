using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Qaic;

/// <summary>One result of <see cref="Session.RunStreamAsync(IAsyncEnumerable{IReadOnlyDictionary{string, Tensor}}, bool, CancellationToken)"/>.</summary>
/// <param name="Index">Position of the inputs in their stream, from 0.</param>
/// <param name="Outputs">Every output by name.</param>
public readonly record struct StreamResult(long Index, IReadOnlyDictionary<string, Tensor> Outputs);

public sealed partial class Session
{
    /// <summary>Runs a stream of inputs with as many in flight as the session has slots.</summary>
    /// <remarks>
    /// <para>Reads ahead by <see cref="MaxInFlight"/> at most: a slow reader of the results slows the reading of the inputs. A slow source holds no result back. Leaving the loop early
    /// waits for what is in flight and ends the source.</para>
    /// <para>When an input fails, or the source does, no further ones are read. In order, the results before it are delivered, then the error is thrown. Out of order, everything
    /// that ended well is delivered first. The error says which inputs failed and how many results were delivered, so that nothing is in doubt.</para>
    /// </remarks>
    /// <param name="inputs">For each inference every input by name, as <see cref="Run(IReadOnlyDictionary{string, Tensor})"/> takes them. Must not change before their result is there.</param>
    /// <param name="ordered">Whether results come in the order of the inputs; else as they are ready, told apart by <see cref="StreamResult.Index"/>.</param>
    /// <param name="cancellationToken">Ends the stream; what was submitted is waited for.</param>
    /// <exception cref="ArgumentException">An input is missing, unknown, or of another type or shape; the message says which of the stream.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="QaicException">The device failed.</exception>
    public IAsyncEnumerable<StreamResult> RunStreamAsync(
        IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> inputs, bool ordered = true, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return Stream(inputs, ordered, cancellationToken);
    }

    /// <inheritdoc cref="RunStreamAsync(IAsyncEnumerable{IReadOnlyDictionary{string, Tensor}}, bool, CancellationToken)"/>
    public IAsyncEnumerable<StreamResult> RunStreamAsync(
        IEnumerable<IReadOnlyDictionary<string, Tensor>> inputs, bool ordered = true, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        return RunStreamAsync(inputs.ToAsyncEnumerable(), ordered, cancellationToken);
    }

    private async IAsyncEnumerable<StreamResult> Stream(
        IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> inputs, bool ordered, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // In order, a run is in the channel from its start; out of order, from its end. Never more than the window, because whoever reads it releases the window.
        var runs = Channel.CreateUnbounded<Task<StreamResult>>(new UnboundedChannelOptions { SingleReader = true });
        using var window = new SemaphoreSlim(MaxInFlight);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task pump = Task.Run(() => Pump(inputs, runs.Writer, window, ordered, stop.Token, cancellationToken), CancellationToken.None);
        long delivered = 0;
        var failures = new SortedDictionary<long, Exception>();
        try
        {
            await foreach (Task<StreamResult> run in runs.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                StreamResult result;
                try
                {
                    result = await run.ConfigureAwait(false);
                }
                catch (InputFailedException e)
                {
                    failures.Add(e.Index, e.InnerException!);
                    await stop.CancelAsync().ConfigureAwait(false);
                    continue;
                }

                if (failures.Count == 0 || !ordered)
                {
                    yield return result;
                    delivered++;
                    window.Release();
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (failures.Count > 0)
            {
                throw Describe(failures, delivered);
            }

            await pump.ConfigureAwait(false);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await foreach (Task<StreamResult> run in runs.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                await ((Task)run).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            await pump.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Reads the source and starts the runs, which a stop does not cancel: what ends well is delivered. Ends when the source does, or when nobody wants more; the channel is complete when the last run has ended.
    private async Task Pump(
        IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> inputs, ChannelWriter<Task<StreamResult>> runs, SemaphoreSlim window, bool ordered, CancellationToken stop, CancellationToken cancellationToken)
    {
        long index = 0;
        var pending = new List<Task>();
        try
        {
            await foreach (IReadOnlyDictionary<string, Tensor> input in inputs.WithCancellation(stop).ConfigureAwait(false))
            {
                await window.WaitAsync(stop).ConfigureAwait(false);
                Task<StreamResult> run = RunOne(index++, input, cancellationToken);
                if (ordered)
                {
                    await runs.WriteAsync(run, CancellationToken.None).ConfigureAwait(false);
                }
                else
                {
                    pending.RemoveAll(static task => task.IsCompleted);
                    pending.Add(run.ContinueWith(runs.TryWrite, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default));
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Whoever stopped it knows why.
        }
        finally
        {
            await Task.WhenAll(pending).ConfigureAwait(false);
            runs.Complete();
        }
    }

    private async Task<StreamResult> RunOne(long index, IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancellationToken)
    {
        try
        {
            return new StreamResult(index, await RunAsync(inputs, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e)
        {
            throw new InputFailedException(index, e);
        }
    }

    private static Exception Describe(SortedDictionary<long, Exception> failures, long delivered)
    {
        // What was only cancelled because another one failed is not what went wrong.
        (long index, Exception first) = failures.FirstOrDefault(f => f.Value is not OperationCanceledException, failures.First());
        string also = failures.Count == 1 ? "" : $" Without result for the same or another reason: {string.Join(", ", failures.Keys.Where(k => k != index).Select(k => $"#{k}"))}.";
        string message = $"Input #{index} of the stream failed; {delivered} results were delivered.{also} {first.Message}";
        return first switch
        {
            QaicException e => new QaicException(e.Error, message, e.HResult, e),
            ArgumentException e => new ArgumentException(message, e),
            ObjectDisposedException => new ObjectDisposedException(nameof(Session), message),
            _ => new InvalidOperationException(message, first),
        };
    }

    private sealed class InputFailedException(long index, Exception cause) : Exception(cause.Message, cause)
    {
        public long Index => index;
    }
}
