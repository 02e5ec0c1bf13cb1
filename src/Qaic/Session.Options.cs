using System.Collections.Immutable;
using Qaic.Diagnostics;
using Qaic.Options;
using Qaic.Runtime;

namespace Qaic;

public sealed partial class Session
{
    private const string CanChange =
        "DeviceIds (dev_id), NumActivations (num_activations) and SetSize (set_size) can be changed on a live session; for anything else create a new one.";

    /// <summary>The options that can be changed after creation, by keyword, with their values: <c>dev_id</c> (an int, or an array of them when there are several), <c>num_activations</c>, <c>set_size</c>.</summary>
    /// <remarks>Python's <c>backend_options()</c>.</remarks>
    public IReadOnlyDictionary<string, object> BackendOptions()
    {
        QaicOptions options = Options;
        return new Dictionary<string, object>
        {
            ["dev_id"] = options.DeviceIds is [int only] ? only : options.DeviceIds.ToArray(),
            ["num_activations"] = options.NumActivations,
            ["set_size"] = options.SetSize,
        };
    }

    /// <summary>Changes options of a live session: waits for what is in flight, gives the device back, and activates anew. Callers meanwhile wait, and none is lost.</summary>
    /// <remarks>
    /// <para>Does nothing when nothing changes. A session that has not been set up takes note, of devices that are there. When the device cannot be activated with the new options, the old ones are in
    /// force again, and so is the network.</para>
    /// <para>Slots that are rented but not submitted lose their device: <see cref="Inference.TrySubmit"/> says so.</para>
    /// </remarks>
    /// <param name="update">Gives the new options from those in force, with another <see cref="QaicOptions.DeviceIds"/>, <see cref="QaicOptions.NumActivations"/> or <see cref="QaicOptions.SetSize"/>.</param>
    /// <exception cref="ArgumentException">A value is out of range, or another option was changed.</exception>
    /// <exception cref="QaicException">The device cannot be activated with the new options.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public void UpdateBackendOptions(Func<QaicOptions, QaicOptions> update)
    {
        ArgumentNullException.ThrowIfNull(update);
        for (; ; )
        {
            // Outside the lock: it is the caller's code.
            QaicOptions old = _options;
            QaicOptions changed = update(old) ?? throw new ArgumentException("The update returned no options.", nameof(update));
            if (changed == old)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                return;
            }

            if (changed with { DeviceIds = old.DeviceIds, NumActivations = old.NumActivations, SetSize = old.SetSize } != old)
            {
                OptionInfo other = OptionTable.All.First(o => o.Stage != OptionStage.Run && o.Format(changed) != o.Format(old));
                throw new ArgumentException($"Option {other.Property} ({other.Keyword}) is fixed when the session is created. {CanChange}", nameof(update));
            }

            changed.Validate();
            ThrowIfStateWouldSplit(changed);
            if (TryUpdate(old, changed))
            {
                return;
            }
        }
    }

    // False if somebody else has changed the options meanwhile.
    private bool TryUpdate(QaicOptions old, QaicOptions changed)
    {
        bool sameDevices = changed.DeviceIds.SequenceEqual(old.DeviceIds);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_options != old)
            {
                return false;
            }

            SlotPool? pool = TakePool();
            if (pool is null)
            {
                if (!sameDevices)
                {
                    ThrowIfMissing(changed.DeviceIds);
                }

                _options = changed;
                return true;
            }

            // First the old: the new activations may need its cores.
            pool.Dispose();
            try
            {
                _pool = Activate(changed, mayLack: sameDevices);
                _options = changed;
                return true;
            }
            catch
            {
                Restore(old);
                throw;
            }
        }
    }

    private void ThrowIfMissing(IReadOnlyList<int> devices)
    {
        IReadOnlyList<QaicDevice> known;
        try
        {
            known = Platform.GetDevices();
        }
        catch (QaicException)
        {
            // The library cannot tell; activation will.
            return;
        }

        foreach (int device in devices)
        {
            if (known.All(d => d.Id != device))
            {
                throw new QaicException(QaicError.DeviceNotFound, $"There is no device {device} (DeviceIds, dev_id).{KnownDevices()}");
            }
        }
    }

    /// <summary>As the other overload, by keyword, as python takes them: <c>dev_id</c>, <c>num_activations</c>, <c>set_size</c>.</summary>
    /// <param name="keywords">The options to change, with their new values.</param>
    /// <exception cref="Options.OptionException">An option is unknown, or its value cannot be read.</exception>
    /// <inheritdoc cref="UpdateBackendOptions(Func{QaicOptions, QaicOptions})" path="/exception"/>
    public void UpdateBackendOptions(IEnumerable<KeyValuePair<string, object?>> keywords)
    {
        ArgumentNullException.ThrowIfNull(keywords);
        KeyValuePair<string, object?>[] given = [.. keywords];
        foreach ((string keyword, _) in given)
        {
            if (OptionTable.Find(keyword) is { Stage: not OptionStage.Run } option)
            {
                throw new ArgumentException($"Option {option.Property} ({keyword}) is fixed when the session is created. {CanChange}", nameof(keywords));
            }
        }

        UpdateBackendOptions(options => QaicOptions.FromKeywords(given, options));
    }

    /// <summary>The network's inputs by name: shape and type of each. Python's <c>model_input_shape_dict()</c>.</summary>
    public IReadOnlyDictionary<string, TensorSpec> ModelInputShapeDict() => Inputs.ToImmutableDictionary(input => input.Name);

    /// <summary>The network's outputs by name: shape and type of each. Python's <c>model_output_shape_dict()</c>.</summary>
    public IReadOnlyDictionary<string, TensorSpec> ModelOutputShapeDict() => Outputs.ToImmutableDictionary(output => output.Name);

    private void Restore(QaicOptions old)
    {
        try
        {
            _pool = Activate(old, mayLack: true);
        }
        catch (Exception e)
        {
            // The next run tries again. The caller gets the reason of the update's failure.
            Log.NotRestored(_logger, e);
        }
    }
}
