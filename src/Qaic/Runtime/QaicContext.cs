using Microsoft.Extensions.Logging;
using Qaic.Interop;

namespace Qaic.Runtime;

/// <summary>A connection to one device.</summary>
internal sealed unsafe class QaicContext : IDisposable
{
    private readonly nint _logKey;

    /// <exception cref="QaicException">The library refused, for example because there is no such device.</exception>
    public QaicContext(Platform platform, int deviceId, ILogger logger)
    {
        Api = platform.Api;
        Qid = platform.FirstQid + deviceId;
        _logKey = NativeLog.Register(logger);
        try
        {
            int qid = Qid;
            nint raw;
            // A library of the seven-argument generation takes the sixth argument for its error callback, so a user value goes only to a table that is known to be newer.
            nint user = platform.TakesLogUser ? _logKey : 0;
            Api.CreateContext(&raw, null, 1, &qid, NativeLog.Callback, user, null, 0).ThrowIfFailed();
            Handle = new QaicHandle("context", raw, Api.ReleaseContext, parent: null);
        }
        catch
        {
            NativeLog.Unregister(_logKey);
            throw;
        }
    }

    public QaicApi Api { get; }

    /// <summary>The device's number in the library.</summary>
    public int Qid { get; }

    public QaicHandle Handle { get; }

    public void Dispose()
    {
        Handle.Dispose();
        NativeLog.Unregister(_logKey);
    }
}
