using System.Text;
using Qaic.Interop;

namespace Qaic.Tests.Support;

/// <summary>A program group of a client, released with it.</summary>
internal sealed unsafe class TestGroup
{
    private readonly TableClient _client;

    public TestGroup(TableClient client, bool isOversubscribed = true, uint protocol = 0)
    {
        _client = client;
        nint group, queue;
        TableClient.Check(Create(client, isOversubscribed, protocol, &group, &queue));
        Handle = client.Own(group, g => client.Api.ReleaseProgramGroup(g));
        Queue = queue;
    }

    public nint Handle { get; }

    public nint Queue { get; }

    public static QStatus Create(TableClient client, bool isOversubscribed, uint protocol, nint* group, nint* queue)
    {
        byte* properties = stackalloc byte[QaicApi.ProgramPropertiesCapacity];
        new Span<byte>(properties, QaicApi.ProgramPropertiesCapacity).Fill(0xee);
        TableClient.Check(client.Api.ProgramGroupPropertiesInitDefault(properties));
        properties[0] = isOversubscribed ? (byte)1 : (byte)0;
        ((uint*)properties)[1] = protocol;
        fixed (byte* name = Encoding.UTF8.GetBytes("turns\0"))
        {
            return client.Api.CreateProgramGroup(client.Context, group, queue, properties, name, client.Qid);
        }
    }

    public QStatus TryAdd(nint qpc, out nint program)
    {
        fixed (nint* made = &program)
        {
            return _client.Api.ProgramGroupAddProgram(Handle, qpc, made, null);
        }
    }

    public nint Add(nint qpc = 0)
    {
        TableClient.Check(TryAdd(qpc == 0 ? _client.Qpc : qpc, out nint program));
        return program;
    }

    public QStatus Enable() => _client.Api.ProgramGroupEnable(Handle);

    public QStatus Disable(bool force = false, uint microseconds = 30_000_000) => _client.Api.ProgramGroupDisable(Handle, force ? 1u : 0, microseconds);
}
