using System.Text;
using Qaic.Interop;
using Qaic.Qpc;

namespace Qaic.Runtime;

/// <summary>A QPC opened by the library, shared by the programs made from it.</summary>
internal sealed unsafe class QaicQpc : IDisposable
{
    private readonly QpcFile? _mapped;

    /// <param name="context">Where the library's messages go to.</param>
    /// <param name="path">The QPC file.</param>
    /// <exception cref="QaicException">The library refused the file.</exception>
    /// <exception cref="QpcFormatException">The file is damaged.</exception>
    public QaicQpc(QaicContext context, string path)
    {
        QaicApi api = context.Api;
        nint raw;
        if (api.OpenQpcFile is not null)
        {
            fixed (byte* utf8 = Encoding.UTF8.GetBytes(path + '\0'))
            {
                api.OpenQpcFile(&raw, utf8).ThrowIfFailed();
            }
        }
        else
        {
            // Older libraries take bytes only. Containers reach 15 GB, so they get the mapping itself, which stays until the object is closed.
            _mapped = QpcFile.Open(path);
            try
            {
                api.OpenQpc(&raw, _mapped.Address, (nuint)_mapped.Length, 0).ThrowIfFailed();
            }
            catch
            {
                _mapped.Dispose();
                throw;
            }
        }

        Handle = new QaicHandle("QPC", raw, api.CloseQpc, context.Handle);
    }

    public QaicHandle Handle { get; }

    public void Dispose()
    {
        Handle.Dispose();
        _mapped?.Dispose();
    }
}
