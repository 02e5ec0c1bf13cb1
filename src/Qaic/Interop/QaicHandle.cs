using System.Runtime.InteropServices;

namespace Qaic.Interop;

/// <summary>One object of the library. Releases itself, and only then lets go of the object that it was made from.</summary>
/// <remarks>
/// A release that the library refuses for the moment (busy, again) is tried again whenever another object is released. What it refuses for another reason is left to it, with a warning:
/// nobody knows whether such an object is half gone, and to release it twice might bring the process down.
/// </remarks>
internal sealed unsafe class QaicHandle : SafeHandle
{
    private static readonly Lock s_sync = new();
    private static readonly List<QaicHandle> s_refused = [];
    private static volatile bool s_hasRefused;
    private static int s_live;

    private readonly delegate* unmanaged[Cdecl]<nint, QStatus> _release;
    private readonly QaicHandle? _parent;
    private readonly SafeHandle? _memory;
    private readonly string _kind;

    /// <summary>Takes ownership of <paramref name="raw"/>.</summary>
    /// <param name="kind">Kind of object, for messages: "context", "program", …</param>
    /// <param name="raw">The library's pointer; not null.</param>
    /// <param name="release">The library's release function for this kind.</param>
    /// <param name="parent">The object that must outlive this one.</param>
    /// <param name="memory">Host memory that the device reads and writes as long as this object is alive.</param>
    public QaicHandle(string kind, nint raw, delegate* unmanaged[Cdecl]<nint, QStatus> release, QaicHandle? parent, SafeHandle? memory = null)
        : base(0, ownsHandle: true)
    {
        _kind = kind;
        _release = release;
        if (parent is not null)
        {
            bool added = false;
            parent.DangerousAddRef(ref added);
            _parent = parent;
        }

        if (memory is not null)
        {
            bool added = false;
            memory.DangerousAddRef(ref added);
            _memory = memory;
        }

        SetHandle(raw);
        Interlocked.Increment(ref s_live);
    }

    /// <summary>Native objects of this process that are not released yet. Tests end with 0.</summary>
    public static int Live => Volatile.Read(ref s_live);

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>Whether the library has released the object. If it refused, the device may still write to its memory.</summary>
    public bool IsReleased { get; private set; }

    /// <summary>Keeps the object alive until the returned value is disposed; <see cref="Lease.Raw"/> is the library's pointer.</summary>
    /// <exception cref="ObjectDisposedException">The object was released.</exception>
    public Lease Use()
    {
        bool added = false;
        DangerousAddRef(ref added);
        return new Lease(this);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{_kind} 0x{handle:x}";

    /// <summary>Releases what the library has refused to release for the moment, if it does now.</summary>
    public static void RetryRefused()
    {
        if (!s_hasRefused)
        {
            return;
        }

        QaicHandle[] refused;
        lock (s_sync)
        {
            refused = [.. s_refused];
            s_refused.Clear();
            s_hasRefused = false;
        }

        Array.ForEach(refused, static handle => handle.TryRelease());
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        RetryRefused();
        return TryRelease();
    }

    private bool TryRelease()
    {
        QStatus status = _release(handle);
        NativeLog.ForgetLastError();
        if (status is QStatus.Busy or QStatus.Again)
        {
            // Nothing has happened yet: it keeps its memory and its parent.
            lock (s_sync)
            {
                s_refused.Add(this);
                s_hasRefused = true;
            }

            return false;
        }

        Interlocked.Decrement(ref s_live);
        if (status == QStatus.Success)
        {
            IsReleased = true;

            // Else the device may still write to it, and memory that is never freed is the lesser evil.
            _memory?.DangerousRelease();
        }

        _parent?.DangerousRelease();
        if (status != QStatus.Success)
        {
            // Last, so that nothing that a logger does leaves the parent behind.
            NativeLog.ReleaseRefused(_kind, status);
        }

        return status == QStatus.Success;
    }

    /// <summary>A borrowed handle; see <see cref="Use"/>.</summary>
    public readonly ref struct Lease(QaicHandle owner)
    {
        public nint Raw => owner.handle;

        public void Dispose() => owner.DangerousRelease();
    }
}
