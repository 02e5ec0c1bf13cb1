namespace Qaic.Simulation;

// How a program group ends its activations without ending what they run.
internal sealed partial class Activation
{
    private SimulatedFailure? _refusal;

    /// <summary>Refuses inferences from now on; what was given before goes on.</summary>
    /// <param name="refusal">What later ones are told; null: they are taken again.</param>
    public void Refuse(SimulatedFailure? refusal)
    {
        lock (_sync)
        {
            _refusal = refusal;
        }
    }

    /// <summary>Waits until nothing is in flight.</summary>
    /// <param name="startedAt">When the wait began, which may be for several activations.</param>
    /// <param name="timeout">Its time.</param>
    /// <returns>False: something still is.</returns>
    public bool WaitUntilIdle(long startedAt, TimeSpan timeout)
    {
        TimeSpan left = timeout - _clock.GetElapsedTime(startedAt);

        // Again and again, as the system's timers may be a little early.
        using ITimer alarm = _clock.CreateTimer(static self => ((Activation)self!).Wake(), this, left > TimeSpan.Zero ? left : TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
        lock (_sync)
        {
            while (_fifo.Count > 0 || _running is { IsDetached: false })
            {
                if (_clock.GetElapsedTime(startedAt) >= timeout)
                {
                    return false;
                }

                Monitor.Wait(_sync);
            }

            return true;
        }
    }

    private void Wake()
    {
        lock (_sync)
        {
            Monitor.PulseAll(_sync);
        }
    }
}
