using System.Diagnostics;
using System.Runtime.CompilerServices;
using Qaic.Diagnostics;

namespace Qaic;

public sealed partial class Session
{
    /// <summary>Runs the network once; or, for a number of rows that is not <see cref="BatchSize"/>, as often as it takes.</summary>
    /// <remarks>
    /// <para>Other numbers of rows are possible where every input and output leads with the batch: they are split into inferences, as many in flight as there are slots, and the
    /// last one is padded with copies of its last row, of which nothing is returned. If rows of a batch influence each other in the network, so does the padding.</para>
    /// </remarks>
    /// <param name="inputs">
    /// Every input by name, in its shape, in one of <see cref="AllowedShapes"/>, or with another number of rows; inputs that allow it may have fewer. With its element type, or
    /// <see cref="ElementType.Float32"/> where that can be converted (<see cref="Runtime.ElementConversion.IsConvertible"/>).
    /// </param>
    /// <returns>Every output by name, in the shape that belongs to the inputs', with the element type of its buffer; <see cref="Tensor.ToFloat32"/> gives its numbers.</returns>
    /// <exception cref="ArgumentException">An input is missing, unknown, or of another type or shape; the message names it.</exception>
    /// <exception cref="QaicException">The device failed.</exception>
    public IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs)
    {
        using Activity? span = Telemetry.StartRun(_runTags);
        try
        {
            if (Check(inputs) is { } rows)
            {
                return RunRows(inputs, rows);
            }

            for (long requested = Now(); ;)
            {
                using Inference inference = Rent(requested, CancellationToken.None);
                Fill(inference, inputs);
                if (inference.TrySubmit())
                {
                    inference.Wait();
                    return Drain(inference);
                }
            }
        }
        catch (Exception e) when (Note(span, e))
        {
            throw;
        }
    }

    /// <summary>Runs a network of one input and one output without allocating. <see cref="float"/> stands for every type that <see cref="Runtime.ElementConversion"/> converts.</summary>
    /// <param name="input">The input's elements, row-major; as many as its shape has, or as one of <see cref="AllowedShapes"/> has if the lengths of input and output tell which.</param>
    /// <param name="output">Receives the output's elements; exactly as many as its shape has.</param>
    /// <exception cref="ArgumentException">Another number or type of elements; the message names the tensor.</exception>
    /// <exception cref="InvalidOperationException">The network has more than one input or output.</exception>
    /// <exception cref="QaicException">The device failed.</exception>
    public void Run<TIn, TOut>(ReadOnlySpan<TIn> input, Span<TOut> output)
        where TIn : unmanaged
        where TOut : unmanaged
    {
        using Activity? span = Telemetry.StartRun(_runTags);
        try
        {
            CheckSingle<TIn, TOut>(input.Length, output.Length);
            for (long requested = Now(); ;)
            {
                using Inference inference = Rent(requested, CancellationToken.None);
                Fill(inference, input, output.Length);
                if (inference.TrySubmit())
                {
                    inference.Wait();
                    Drain(inference, output);
                    return;
                }
            }
        }
        catch (Exception e) when (Note(span, e))
        {
            throw;
        }
    }

    /// <summary>As <see cref="Run(IReadOnlyDictionary{string, Tensor})"/>, without holding a thread.</summary>
    /// <param name="inputs">Every input by name, as for <see cref="Run(IReadOnlyDictionary{string, Tensor})"/>. Must not change before the task ends.</param>
    /// <param name="cancellationToken">Ends the wait for a free slot. Once submitted, the device is waited for; then the call is cancelled.</param>
    /// <inheritdoc cref="Run(IReadOnlyDictionary{string, Tensor})" path="/returns"/>
    /// <inheritdoc cref="Run(IReadOnlyDictionary{string, Tensor})" path="/exception"/>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public Task<IReadOnlyDictionary<string, Tensor>> RunAsync(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancellationToken = default)
    {
        int? rows = Check(inputs);
        return Run();

        async Task<IReadOnlyDictionary<string, Tensor>> Run()
        {
            using Activity? span = Telemetry.StartRun(_runTags);
            try
            {
                if (rows is not null)
                {
                    return await RunRowsAsync(inputs, rows.Value, cancellationToken).ConfigureAwait(false);
                }

                for (long requested = Now(); ;)
                {
                    using Inference inference = await RentAsync(requested, cancellationToken).ConfigureAwait(false);
                    Fill(inference, inputs);
                    if (inference.TrySubmit())
                    {
                        await inference.WaitAsync().ConfigureAwait(false);
                        cancellationToken.ThrowIfCancellationRequested();
                        return Drain(inference);
                    }
                }
            }
            catch (Exception e) when (Note(span, e))
            {
                throw;
            }
        }
    }

    /// <summary>Runs a network of one input and one output without holding a thread. <see cref="float"/> stands for every type that <see cref="Runtime.ElementConversion"/> converts.</summary>
    /// <param name="input">The input's elements, row-major, as for <see cref="Run{TIn, TOut}(ReadOnlySpan{TIn}, Span{TOut})"/>. Must not change before the task ends.</param>
    /// <param name="output">Receives the output's elements; exactly as many as its shape has.</param>
    /// <param name="cancellationToken">Ends the wait for a free slot. Once submitted, the device is waited for; then the call is cancelled.</param>
    /// <exception cref="ArgumentException">Another number or type of elements; the message names the tensor.</exception>
    /// <exception cref="InvalidOperationException">The network has more than one input or output.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; <paramref name="output"/> is untouched.</exception>
    /// <exception cref="QaicException">The device failed.</exception>
    public ValueTask RunAsync<TIn, TOut>(ReadOnlyMemory<TIn> input, Memory<TOut> output, CancellationToken cancellationToken = default)
        where TIn : unmanaged
        where TOut : unmanaged
    {
        CheckSingle<TIn, TOut>(input.Length, output.Length);
        return Run(input, output, cancellationToken);

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
        async ValueTask Run(ReadOnlyMemory<TIn> input, Memory<TOut> output, CancellationToken cancellationToken)
        {
            using Activity? span = Telemetry.StartRun(_runTags);
            try
            {
                for (long requested = Now(); ;)
                {
                    using Inference inference = await RentAsync(requested, cancellationToken).ConfigureAwait(false);
                    Fill(inference, input.Span, output.Length);
                    if (inference.TrySubmit())
                    {
                        await inference.WaitAsync().ConfigureAwait(false);
                        cancellationToken.ThrowIfCancellationRequested();
                        Drain(inference, output.Span);
                        return;
                    }
                }
            }
            catch (Exception e) when (Note(span, e))
            {
                throw;
            }
        }
    }

    private Dictionary<string, Tensor> RunRows(IReadOnlyDictionary<string, Tensor> inputs, int rows)
    {
        Dictionary<string, Tensor> outputs = OutputsFor(rows);
        var flying = new Queue<(Inference Inference, int First)>();
        try
        {
            for (int first = 0; first < rows; first += BatchSize)
            {
                while (!TryStart(first))
                {
                    // Its device was given up before it had taken the rows.
                }
            }

            while (flying.TryDequeue(out (Inference Inference, int First) oldest))
            {
                Finish(oldest.Inference, oldest.First);
            }

            return outputs;
        }
        finally
        {
            foreach ((Inference inference, _) in flying)
            {
                inference.Dispose();
            }
        }

        bool TryStart(int first)
        {
            Inference inference = Next();
            try
            {
                FillRows(inference, inputs, first, Math.Min(BatchSize, rows - first));
                if (inference.TrySubmit())
                {
                    flying.Enqueue((inference, first));
                    return true;
                }
            }
            catch
            {
                inference.Dispose();
                throw;
            }

            inference.Dispose();
            return false;
        }

        // Whoever holds slots and waits for one more can wait for ever; so wait only with none.
        Inference Next()
        {
            Inference inference;
            while (!TryRent(out inference))
            {
                if (!flying.TryDequeue(out (Inference Inference, int First) oldest))
                {
                    return Rent();
                }

                Finish(oldest.Inference, oldest.First);
            }

            return inference;
        }

        void Finish(Inference inference, int first)
        {
            using (inference)
            {
                inference.Wait();
                DrainRows(inference, outputs, first, Math.Min(BatchSize, rows - first));
            }
        }
    }

    private async Task<IReadOnlyDictionary<string, Tensor>> RunRowsAsync(IReadOnlyDictionary<string, Tensor> inputs, int rows, CancellationToken cancellationToken)
    {
        Dictionary<string, Tensor> outputs = OutputsFor(rows);
        var running = new Queue<Task>();
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            for (int first = 0; first < rows; first += BatchSize)
            {
                if (running.Count >= MaxInFlight)
                {
                    await running.Dequeue().ConfigureAwait(false);
                }

                running.Enqueue(RunPart(first, Math.Min(BatchSize, rows - first)));
            }

            while (running.TryDequeue(out Task? oldest))
            {
                await oldest.ConfigureAwait(false);
            }

            return outputs;
        }
        finally
        {
            // After a failure: the others read the caller's inputs. Those that wait for a slot need not.
            await giveUp.CancelAsync().ConfigureAwait(false);
            foreach (Task part in running)
            {
                await part.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        async Task RunPart(int first, int count)
        {
            CancellationToken token = giveUp.Token;
            for (long requested = Now(); ;)
            {
                using Inference inference = await RentAsync(requested, token).ConfigureAwait(false);
                FillRows(inference, inputs, first, count);
                if (inference.TrySubmit())
                {
                    await inference.WaitAsync().ConfigureAwait(false);
                    token.ThrowIfCancellationRequested();
                    DrainRows(inference, outputs, first, count);
                    return;
                }
            }
        }
    }
}
