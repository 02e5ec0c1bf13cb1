using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Qaic;

/// <summary>One result of <see cref="Session.RunStreamAsync(IAsyncEnumerable{IReadOnlyDictionary{string, Tensor}}, bool, CancellationToken)"/>.</summary>
/// <param name="Index">Position of the inputs in their stream, from 0.</param>
/// <param name="Outputs">Every output by name.</param>
public readonly record struct StreamResult(long Index, IReadOnlyDictionary<string, Tensor> Outputs);

public sealed partial class Session
{
    // How long a stream that ends waits for its source to end as well.
    private static readonly TimeSpan s_sourcePatience = TimeSpan.FromSeconds(1);

    /// <summary>Runs a stream of inputs with as many in flight as the session has slots.</summary>
    /// <remarks>
    /// <para>Reads ahead by <see cref="MaxInFlight"/> at most: a slow reader of the results slows the reading of the inputs. A slow source holds no result back. Leaving the loop early
    /// waits for what is in flight and ends the source; one that blocks is left to end by itself.</para>
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
        var pump = new StreamPump(this, ordered, MaxInFlight, cancellationToken);
        Task source = Task.Run(() => pump.Read(inputs), CancellationToken.None);
        long delivered = 0;
        var failures = new SortedDictionary<long, Exception>();
        try
        {
            await foreach (Task<StreamResult> run in pump.Runs.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                StreamResult result;
                try
                {
                    result = await run.ConfigureAwait(false);
                }
                catch (InputFailedException e)
                {
                    failures.Add(e.Index, e.InnerException!);

                    // What was started ends, and is delivered or named. A source that rests is not waited for.
                    await pump.Stop().ConfigureAwait(false);
                    continue;
                }

                if (failures.Count == 0 || !ordered)
                {
                    yield return result;
                    delivered++;
                    pump.Delivered();
                }
            }

            if (failures.Count > 0)
            {
                throw Describe(failures, delivered);
            }

            await source.ConfigureAwait(false);
        }
        finally
        {
            await pump.Stop().ConfigureAwait(false);

            // Usually the source ends at once. One that blocks ends when it likes; nobody waits for what it may still say.
            Task ended = await Task.WhenAny(source, Task.Delay(s_sourcePatience, CancellationToken.None)).ConfigureAwait(false);
            if (ended != source)
            {
                _ = source.ContinueWith(static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            }
        }
    }

    /// <summary>Reads a source and starts its runs, no more than the window at a time.</summary>
    [SuppressMessage("Design", "CA1001", Justification = "A source that blocks may still use them when the stream has long ended; they hold nothing but memory.")]
    private sealed class StreamPump(Session session, bool ordered, int window, CancellationToken cancellationToken)
    {
        private readonly Lock _lock = new();
        private readonly Channel<Task<StreamResult>> _runs = Channel.CreateUnbounded<Task<StreamResult>>(new UnboundedChannelOptions { SingleReader = true });
        private readonly SemaphoreSlim _window = new(window);
        private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        private readonly List<Task> _started = [];
        private bool _stopped;

        /// <summary>The runs: in order each from its start, else each from its end.</summary>
        public ChannelReader<Task<StreamResult>> Runs => _runs.Reader;

        /// <summary>A result has been delivered, so another input may be read.</summary>
        public void Delivered() => _window.Release();

        /// <summary>Starts no more runs, and waits for those that were started; <see cref="Runs"/> ends with them.</summary>
        public async Task Stop()
        {
            Task[] started;
            lock (_lock)
            {
                _stopped = true;
                started = [.. _started];
            }

            await _stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(started).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _runs.Writer.TryComplete();
        }

        /// <summary>Reads the source to its end, or until the stream is stopped.</summary>
        public async Task Read(IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> inputs)
        {
            long index = 0;
            try
            {
                await foreach (IReadOnlyDictionary<string, Tensor> input in inputs.WithCancellation(_stop.Token).ConfigureAwait(false))
                {
                    await _window.WaitAsync(_stop.Token).ConfigureAwait(false);
                    if (!TryStart(index++, input))
                    {
                        return;
                    }
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                // Whoever stopped it knows why.
            }
            finally
            {
                Task[] started;
                lock (_lock)
                {
                    started = [.. _started];
                }

                await Task.WhenAll(started).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                _runs.Writer.TryComplete();
            }
        }

        // Under the lock, so that no run starts that a stop does not know of.
        private bool TryStart(long index, IReadOnlyDictionary<string, Tensor> input)
        {
            lock (_lock)
            {
                if (_stopped)
                {
                    return false;
                }

                _started.RemoveAll(static task => task.IsCompleted);
                Task<StreamResult> run = session.RunOne(index, input, cancellationToken);
                if (ordered)
                {
                    _started.Add(run);
                    _runs.Writer.TryWrite(run);
                }
                else
                {
                    _started.Add(run.ContinueWith(done => _runs.Writer.TryWrite(done), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default));
                }

                return true;
            }
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
