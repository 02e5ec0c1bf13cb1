namespace Qaic.Interop;

/// <summary>QStatus, QAicRuntimeTypes.h. 0, 300 and 500 are certain; the rest follows the open runtime.</summary>
internal enum QStatus
{
    Success = 0,
    Perm = 1,
    Again = 2,
    NoMem = 3,
    Busy = 4,
    NoDev = 5,
    Inval = 6,
    NoSpc = 7,
    BadFd = 8,
    TimedOut = 9,
    Protocol = 10,
    Unsupported = 11,
    DataCrcError = 12,
    DevError = 300,
    Error = 500,
}
