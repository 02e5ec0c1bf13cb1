using System.Runtime.CompilerServices;
using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>What goes wrong on a simulated machine: calls and inferences that fail, come late or are held, and devices that are lost.</summary>
/// <remarks>
/// <para>Thread-safe; may be changed while sessions run. Occurrences count from the moment a fault is added: 1 is the next call or inference, null is every one.</para>
/// <para>A call is named as in the C API, with or without <c>qaic</c>: <c>LoadProgram</c>, <c>qaicLoadProgram</c>. A failed call has done nothing; a failed release leaves the object alive.
/// Calls that name no device (<c>OpenQpcFile</c>, <c>OpenQpc</c>, <c>CloseQpc</c>, <c>QpcGetInfo</c>, <c>ProgramPropertiesInitDefault</c>, <c>ProgramGroupPropertiesInitDefault</c>, <c>GetAicVersion</c>) are subject to the plans of all machines of the process.</para>
/// </remarks>
public sealed class FaultPlan
{
    private readonly Lock _sync = new();
    private readonly HashSet<int> _lost = [];
    private Action<int, bool>? _deviceChanged;
    private volatile Fault[] _faults = [];

    /// <summary>Names of the functions whose calls can fail.</summary>
    public static IReadOnlyList<string> Functions { get; } = Enum.GetNames<ApiFunction>();

    /// <summary>Makes calls of a function return a status without doing anything.</summary>
    /// <param name="function">Name of the function.</param>
    /// <param name="status">The raw QStatus to return, for example 300 (device error). Not 0.</param>
    /// <param name="message">Text for the log; null: one that names the plan.</param>
    /// <param name="occurrence">Which call, from 1; null: every call.</param>
    /// <exception cref="ArgumentException">There is no such function.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The status is 0 or the occurrence less than 1.</exception>
    public Fault FailCall(string function, int status, string? message = null, int? occurrence = null) =>
        Add(new Fault(this, FunctionOf(function), Checked(occurrence)) { Status = Checked(status), Message = message });

    /// <summary>Makes calls of a function take time before they do anything.</summary>
    /// <param name="function">Name of the function.</param>
    /// <param name="delay">Time on the machine's clock; more than 0.</param>
    /// <param name="occurrence">Which call, from 1; null: every call.</param>
    /// <exception cref="ArgumentException">There is no such function.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The delay is not positive or the occurrence less than 1.</exception>
    public Fault DelayCall(string function, TimeSpan delay, int? occurrence = null) =>
        Add(new Fault(this, FunctionOf(function), Checked(occurrence)) { Delay = Checked(delay) });

    /// <summary>Holds calls of a function, before they do anything, until the fault is released.</summary>
    /// <param name="function">Name of the function.</param>
    /// <param name="occurrence">Which call, from 1; null: every call.</param>
    /// <exception cref="ArgumentException">There is no such function.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The occurrence is less than 1.</exception>
    public Fault HoldCall(string function, int? occurrence = null) =>
        Add(new Fault(this, FunctionOf(function), Checked(occurrence)) { IsHold = true });

    /// <summary>Makes inferences fail on the card. 300 and 500 put their program into the error state, as on the card; other statuses fail that inference alone.</summary>
    /// <param name="status">The raw QStatus that the wait returns. Not 0.</param>
    /// <param name="message">Text for the log; null: one that names the plan.</param>
    /// <param name="occurrence">Which inference of the machine, in the order of execution, from 1; null: every one.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is 0 or the occurrence less than 1.</exception>
    public Fault FailInference(int status = (int)QStatus.DevError, string? message = null, int? occurrence = null) =>
        Add(new Fault(this, null, Checked(occurrence)) { Status = Checked(status), Message = message });

    /// <summary>Makes inferences complete late: the outputs are computed, and arrive after the delay.</summary>
    /// <param name="delay">Time on the machine's clock; more than 0.</param>
    /// <param name="occurrence">Which inference of the machine, in the order of execution, from 1; null: every one.</param>
    /// <exception cref="ArgumentOutOfRangeException">The delay is not positive or the occurrence less than 1.</exception>
    public Fault DelayInference(TimeSpan delay, int? occurrence = null) =>
        Add(new Fault(this, null, Checked(occurrence)) { Delay = Checked(delay) });

    /// <summary>Holds inferences on the card, computed but not complete, until the fault is released.</summary>
    /// <param name="occurrence">Which inference of the machine, in the order of execution, from 1; null: every one.</param>
    /// <exception cref="ArgumentOutOfRangeException">The occurrence is less than 1.</exception>
    public Fault HoldInference(int? occurrence = null) =>
        Add(new Fault(this, null, Checked(occurrence)) { IsHold = true });

    /// <summary>Takes every fault out of the plan and releases what they hold. Lost devices stay lost.</summary>
    public void Clear()
    {
        foreach (Fault fault in _faults)
        {
            fault.Dispose();
        }
    }

    /// <summary>Makes a device vanish: what is in flight on it fails (300), later calls return 5 (no device).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The machine has no such device.</exception>
    public void LoseDevice(int deviceId) => Change(deviceId, lost: true);

    /// <summary>Brings a lost device back, empty: programs have to be loaded again.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The machine has no such device.</exception>
    public void RestoreDevice(int deviceId) => Change(deviceId, lost: false);

    /// <summary>Whether <see cref="Hit"/> can do anything: the one test that every call pays for.</summary>
    internal bool IsArmed => _faults.Length > 0;

    internal void Remove(Fault fault)
    {
        lock (_sync)
        {
            _faults = Array.FindAll(_faults, f => f != fault);
        }
    }

    /// <summary>Connects a machine, and tells it the devices that are lost already.</summary>
    internal void Attach(Action<int, bool> deviceChanged)
    {
        lock (_sync)
        {
            foreach (int device in _lost)
            {
                deviceChanged(device, true);
            }

            _deviceChanged += deviceChanged;
        }
    }

    /// <summary>Lets the faults happen that are meant for this call (or inference, if <paramref name="function"/> is null).</summary>
    /// <returns>The fault that makes it fail; null if none does.</returns>
    /// <exception cref="OperationCanceledException">A wait was cut short.</exception>
    internal SimulatedFailure? Hit(ApiFunction? function, TimeProvider clock, CancellationToken cancellation)
    {
        SimulatedFailure? failure = null;
        foreach (Fault fault in _faults)
        {
            if (fault.Function == function && fault.Counts())
            {
                fault.Wait(clock, cancellation);
                if (fault.Status is { } status)
                {
                    failure ??= new SimulatedFailure(status, fault.Message ?? "The fault plan of the simulated machine made it fail.");
                }
            }
        }

        return failure;
    }

    private static ApiFunction FunctionOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        ReadOnlySpan<char> bare = name.StartsWith("qaic", StringComparison.Ordinal) ? name.AsSpan(4) : name;
        return Enum.TryParse(bare, out ApiFunction function) && Enum.IsDefined(function) && !char.IsAsciiDigit(bare[0])
            ? function
            : throw new ArgumentException($"The C API has no function '{name}'. Known are {string.Join(", ", Functions)}.", nameof(name));
    }

    private static QStatus Checked(int status, [CallerArgumentExpression(nameof(status))] string? name = null) =>
        status != 0 ? (QStatus)status : throw new ArgumentOutOfRangeException(name, status, "0 is success; give the QStatus of the failure, for example 300.");

    private static int? Checked(int? occurrence, [CallerArgumentExpression(nameof(occurrence))] string? name = null) =>
        occurrence is null or >= 1 ? occurrence : throw new ArgumentOutOfRangeException(name, occurrence, "Occurrences count from 1; null means every one.");

    private static TimeSpan Checked(TimeSpan delay, [CallerArgumentExpression(nameof(delay))] string? name = null) =>
        delay > TimeSpan.Zero ? delay : throw new ArgumentOutOfRangeException(name, delay, "A delay has to be longer than 0.");

    private Fault Add(Fault fault)
    {
        lock (_sync)
        {
            _faults = [.. _faults, fault];
        }

        return fault;
    }

    private void Change(int deviceId, bool lost)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(deviceId);
        Action<int, bool>? changed;
        lock (_sync)
        {
            changed = _deviceChanged;
        }

        // The machine first: it knows whether there is such a device.
        changed?.Invoke(deviceId, lost);
        lock (_sync)
        {
            if (lost)
            {
                _lost.Add(deviceId);
            }
            else
            {
                _lost.Remove(deviceId);
            }
        }
    }
}
