using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Interop;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Qpc;
using Qaic.Simulation;
using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Engine;

/// <summary>A compiled network through the C functions: buffers of the host in every I/O set, and zero-copy buffers, give the bytes that Session gives.</summary>
[TestClass]
public sealed class IoSetTests : IDisposable
{
    private const int Elements = 37;

    private readonly TemporaryDirectory _directory = TemporaryDirectory.Create();

    public void Dispose() => _directory.Dispose();

    [TestMethod]
    [DataRow(false, DisplayName = "float32")]
    [DataRow(true, DisplayName = "codes of 8 bits")]
    public unsafe void Every_set_and_zero_copy_buffers_give_the_bytes_of_Session(bool isQuantized)
    {
        SimulatedPlatform platform = new(new SimulatedPlatformOptions { Engine = new OnnxRuntimeEngine() });
        string qpc = Compile(isQuantized);
        byte[] input, expected;
        using (Session session = new(qpc, new QaicOptions(), platform))
        {
            Tensor x = Tensor.Zeros(session.Inputs[0]);
            new Random(3).NextBytes(isQuantized ? x.Bytes : []);
            if (!isQuantized)
            {
                Enumerable.Range(-9, Elements).Select(i => i / 3f).ToArray().CopyTo(MemoryMarshal.Cast<byte, float>(x.Bytes));
            }

            input = x.Bytes.ToArray();
            expected = session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].Bytes.ToArray();
        }

        using (TableClient client = new(platform.Api, platform.FirstQid, qpc))
        {
            nint program = client.Program();
            IoDescriptor io = client.Descriptor(program);
            CollectionAssert.AreEqual(new[] { "default", "dma" }, io.Sets.Select(s => s.Name).ToArray());
            foreach (IoSet set in io.Sets)
            {
                io.SelectedSet = set;
                Assert.AreEqual(QStatus.Success, client.CreateExecObj(program, io, out nint handle), client.LastLog);
                CollectionAssert.AreEqual(expected, Run(client, handle, input, expected.Length), set.Name);
            }

            LentExec lent = LentExec.Create(client, program);
            DmaBufferInfo from = Place(io, 0), to = Place(io, 1);
            input.CopyTo(new Span<byte>(lent.Buffers[from.BufferIndex].Buf + from.BufferOffset, input.Length));
            TableClient.Check(lent.Run(client.Queue));
            CollectionAssert.AreEqual(expected, new Span<byte>(lent.Buffers[to.BufferIndex].Buf + to.BufferOffset, expected.Length).ToArray(), "zero-copy");
        }

        Assert.AreEqual(0, platform.LiveObjects);
    }

    private static DmaBufferInfo Place(IoDescriptor io, int binding) => io.Sets.Single(s => s.Name == "dma").Bindings[binding].DmaBufferInfos.Single();

    private static unsafe byte[] Run(TableClient client, nint exec, byte[] input, int outputBytes)
    {
        byte[] output = new byte[outputBytes];
        fixed (byte* x = input, y = output)
        {
            QBuffer* buffers = stackalloc QBuffer[2];
            buffers[0] = new QBuffer { Buf = x, Size = (nuint)input.Length };
            buffers[1] = new QBuffer { Buf = y, Size = (nuint)outputBytes };
            TableClient.Check(client.Api.ExecObjSetData(exec, 2, buffers));
            TableClient.Check(client.Api.EnqueueExecObj(client.Queue, exec, 0));
            TableClient.Check(client.Api.ExecObjWaitForCompletion(exec, 30_000_000));
        }

        return output;
    }

    private string Compile(bool isQuantized)
    {
        ModelProto proto = Graphs.Model([Graphs.Node("Add", ["x", "x"], ["y"])], [Graphs.Value("x", Graphs.Float, Elements)], [Graphs.Value("y", Graphs.Float, Elements)]);
        string io = Path.Combine(_directory.Path, "io.yaml");
        if (isQuantized)
        {
            new CustomIoFile([new CustomIoEntry("x", "uint8") { Scale = 0.5f, Offset = 9 }, new CustomIoEntry("y", "int8") { Scale = 0.25f, Offset = -7 }]).Save(io);
        }

        QaicOptions options = isQuantized ? new QaicOptions { CustomIoListFile = io } : new QaicOptions();
        return new EmbeddedCompiler().Compile(Graphs.Save(proto, _directory.Path), Path.Combine(_directory.Path, "qpc"), options, NullLogger.Instance, CancellationToken.None);
    }
}
