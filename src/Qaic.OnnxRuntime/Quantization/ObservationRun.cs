using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Gathers samples into batches, lets several of them run at once, and counts what they leave in every tensor, in the order of the batches.</summary>
/// <remarks>
/// <para>A histogram whose range grows depends on the order in which it sees the batches. So a batch counts a tensor when the one before has counted it: batches follow each other
/// through the tensors as through a pipeline, and the result is the same for any number of threads.</para>
/// <para>The methods belong to one thread, or one flow of asynchronous calls. Of several failures that of the first batch is thrown.</para>
/// </remarks>
internal sealed partial class ObservationRun : IDisposable
{
    // Of the machine's memory, for the batches that are on their way.
    private const int MemoryShare = 4;

    private readonly ObservedNetwork _network;
    private readonly RunningHistogram[] _histograms;
    private readonly bool[] _hasSeen;
    private readonly SampleBatcher _batcher;
    private readonly IProgress<ProfilingProgress>? _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly CancellationTokenRegistration _registration;
    private readonly bool _isInline;
    private readonly int _laneLimit;

    // Batch n goes through lane n % _laneLimit. Guarded by _gate, as cancelling reads it.
    private readonly List<ObservationLane> _lanes = [];
    private readonly Action<ObservationLane> _process;

    // Per tensor the batch that counts it next; with _failed and _isStopped guarded by _gate.
    private readonly object _gate = new();
    private readonly long[] _turns;
    private long _failed = long.MaxValue;
    private bool _isStopped;

    // Batches below _collected are done with; those from there to _started are on their way; the next one is being gathered.
    private long _collected;
    private long _started;
    private ObservationLane? _gathering;
    private bool _isOver;

    /// <param name="network">The network.</param>
    /// <param name="bins">Bins of each histogram.</param>
    /// <param name="threads">Batches that may run at once.</param>
    /// <param name="isInline">Whether a single thread is the caller's.</param>
    /// <param name="progress">Is told after each batch, by the thread that gathers.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <param name="cancellationToken">Ends the run.</param>
    public ObservationRun(
        ObservedNetwork network, int bins, int threads, bool isInline, IProgress<ProfilingProgress>? progress, ILogger logger, CancellationToken cancellationToken)
    {
        _network = network;
        _histograms = [.. network.Tensors.Select(_ => new RunningHistogram(bins))];
        _hasSeen = new bool[_histograms.Length];
        _turns = new long[_histograms.Length];
        _batcher = new SampleBatcher(network.Inputs, network.BatchSize, network.HasBatch);
        (_progress, _cancellationToken, _process) = (progress, cancellationToken, Process);
        long lane = ObservationLane.ByteLength(network);
        _laneLimit = (int)Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / MemoryShare / lane, 1, threads);
        if (_laneLimit < threads)
        {
            FewerThreads(logger, network.Source, _laneLimit, threads, lane);
        }

        _isInline = isInline && _laneLimit == 1;
        _registration = cancellationToken.Register(static run => ((ObservationRun)run!).Stop(), this);
    }

    /// <summary>Batches that have been counted.</summary>
    public long Batches => _collected;

    /// <summary>Rows that have been counted, without those that fill the last batch.</summary>
    public long Rows { get; private set; }

    /// <summary>What was seen of an activation, by its place in the list the network was made with.</summary>
    public RunningHistogram Seen(int activation) => _histograms[_network.Sources[activation]];

    /// <summary>Whether an activation ever had an element.</summary>
    public bool HasSeen(int activation) => _hasSeen[_network.Sources[activation]];

    /// <summary>Runs all samples through the network.</summary>
    /// <exception cref="ArgumentException">A sample does not fit the model, or there is none.</exception>
    /// <exception cref="CompilationException">The network cannot be run, or yields NaN or infinity.</exception>
    public void Feed(IEnumerable<IReadOnlyDictionary<string, Tensor>> samples)
    {
        try
        {
            foreach (IReadOnlyDictionary<string, Tensor> sample in samples)
            {
                Begin(sample);
                while (Gather() is { } next)
                {
                    next.Wait();
                    Collect();
                }
            }

            Finish();
        }
        catch (Exception) when (MustSettle)
        {
            Settle();
            throw;
        }

        Settle();
    }

    /// <inheritdoc cref="Feed"/>
    public async Task FeedAsync(IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> samples)
    {
        try
        {
            await foreach (IReadOnlyDictionary<string, Tensor> sample in samples.WithCancellation(_cancellationToken).ConfigureAwait(false))
            {
                Begin(sample);
                while (Gather() is { } next)
                {
                    await next.WaitAsync().ConfigureAwait(false);
                    Collect();
                }
            }

            Finish();
        }
        catch (Exception) when (MustSettle)
        {
            await SettleAsync().ConfigureAwait(false);
            throw;
        }

        await SettleAsync().ConfigureAwait(false);
    }

    public void Dispose()
    {
        // In this order: cancelling touches lanes.
        _registration.Dispose();
        Stop();
        _lanes.ForEach(lane => lane.Dispose());
    }

    private void Begin(IReadOnlyDictionary<string, Tensor>? sample)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        _batcher.Begin(sample);
    }

    // Takes rows of the current sample. When a batch is full, starts it and returns the lane that the next one needs, which may still be busy; null when the sample is used up.
    private ObservationLane? Gather()
    {
        ObservationLane lane = _gathering ??= Open();
        int count = _batcher.Take(lane.Inputs, lane.Rows);
        lane.Samples.AsSpan(lane.Rows, count).Fill(_batcher.Sample);
        lane.Rows += count;
        if (lane.Rows < _batcher.BatchSize)
        {
            return null;
        }

        if (_started == 0 && _batcher.BatchSize > 1)
        {
            _batcher.Keep(lane.Inputs, lane.Samples);
        }

        Start(lane);
        return Lane(_started);
    }

    // The last batch is filled with rows of the data: zeros would be counted as if they were data.
    private void Finish()
    {
        _cancellationToken.ThrowIfCancellationRequested();
        if (_gathering is { Rows: > 0 } lane)
        {
            _batcher.Fill(lane.Inputs, lane.Samples, lane.Rows);
            Start(lane);
        }

        if (_started == 0)
        {
            throw new ArgumentException($"There is no sample to profile '{_network.Source}' with. Give at least one; 100 to 500 of real data are usual.");
        }
    }

    private void Start(ObservationLane lane)
    {
        _gathering = null;
        _started++;
        lane.Start();
    }

    private ObservationLane Open()
    {
        ObservationLane lane = Lane(_started);
        (lane.Batch, lane.Rows, lane.Failure) = (_started, 0, null);
        return lane;
    }

    private ObservationLane Lane(long batch)
    {
        int index = (int)(batch % _laneLimit);
        if (index == _lanes.Count)
        {
            var lane = new ObservationLane(_network, _isInline, _process);
            lock (_gate)
            {
                _lanes.Add(lane);
                if (_isStopped)
                {
                    lane.Terminate();
                }
            }
        }

        return _lanes[index];
    }

    // Whether batches that are on their way decide what is thrown: one that fails came before whatever has happened now.
    private bool MustSettle => !_isOver && !_cancellationToken.IsCancellationRequested;

    private void Settle()
    {
        while (_collected < _started)
        {
            Lane(_collected).Wait();
            Collect();
        }
    }

    private async ValueTask SettleAsync()
    {
        while (_collected < _started)
        {
            await Lane(_collected).WaitAsync().ConfigureAwait(false);
            Collect();
        }
    }

    // Of the batches that are on their way those that are done, the oldest first.
    private void Collect()
    {
        while (_collected < _started && Lane(_collected) is { IsIdle: true } lane)
        {
            lane.Wait();
            _isOver = true;
            lane.Failure?.Throw();
            _collected++;
            Rows += lane.Rows;
            _progress?.Report(new ProfilingProgress(Rows, _network.Sources.Count));
            _isOver = false;
        }
    }

    private void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
            _lanes.ForEach(static lane => lane.Terminate());
            Monitor.PulseAll(_gate);
        }
    }

    // A batch, on its lane's thread.
    private void Process(ObservationLane lane)
    {
        try
        {
            if (Volatile.Read(ref _isStopped))
            {
                throw new OperationCanceledException(_cancellationToken);
            }

            lane.Run();
            for (int tensor = 0; tensor < _histograms.Length; tensor++)
            {
                AwaitTurn(tensor, lane.Batch);
                ReadOnlySpan<float> values = lane.Values(_network.Tensors[tensor]);
                int index = _histograms[tensor].Add(values);
                if (index >= 0)
                {
                    throw NotFinite(lane, _network.Tensors[tensor], index);
                }

                _hasSeen[tensor] |= !values.IsEmpty;
                EndTurn(tensor);
            }
        }
        catch (Exception e)
        {
            lane.Failure = ExceptionDispatchInfo.Capture(Explain(lane, e));
            lock (_gate)
            {
                _failed = Math.Min(_failed, lane.Batch);
                Monitor.PulseAll(_gate);
            }
        }
    }

    private void AwaitTurn(int tensor, long batch)
    {
        lock (_gate)
        {
            while (_isStopped || _turns[tensor] != batch)
            {
                if (_isStopped || _failed < batch)
                {
                    throw new OperationCanceledException(_cancellationToken);
                }

                Monitor.Wait(_gate);
            }
        }
    }

    private void EndTurn(int tensor)
    {
        lock (_gate)
        {
            _turns[tensor]++;
            Monitor.PulseAll(_gate);
        }
    }

    private Exception Explain(ObservationLane lane, Exception e) => e is not OnnxRuntimeException ? e
        : Volatile.Read(ref _isStopped) ? new OperationCanceledException("The profiling was cancelled.", e, _cancellationToken)
        : new CompilationException($"ONNX Runtime {OrtEnvironment.Version} cannot run '{_network.Source}' on {Name(lane)}: {e.Message}", e);

    private CompilationException NotFinite(ObservationLane lane, ObservedTensor tensor, int index)
    {
        ReadOnlySpan<float> values = lane.Values(tensor);
        int first = tensor.IsInput ? 0 : _network.Outputs[tensor.Index].Shape is [var rows, ..] ? rows : 0;
        string where = first == _batcher.BatchSize ? $"sample {lane.Samples[index / (values.Length / first)]}" : Name(lane);
        return new CompilationException(
            $"Tensor '{tensor.Name}' of '{_network.Source}' becomes {SampleBatcher.Name(values[index])} for {where} (element {index} of {values.Length} in the batch), and a range cannot hold that. "
            + "The inputs are finite, so the network itself overflows or divides by zero there: leave the sample out, or correct the model.");
    }

    private static string Name(ObservationLane lane) =>
        lane.Samples[0] == lane.Samples[^1] ? $"sample {lane.Samples[0]}" : $"a batch of samples that begins with sample {lane.Samples[0]}";

    [LoggerMessage(EventId = 4101, Level = LogLevel.Information, Message = "Profiling {Model} on {Threads} threads instead of {Wanted}: each needs {Bytes} bytes for the tensors of a batch")]
    private static partial void FewerThreads(ILogger logger, string model, int threads, int wanted, long bytes);
}
