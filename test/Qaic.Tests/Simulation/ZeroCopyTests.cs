using Qaic.Interop;
using Qaic.Qpc;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>Zero-copy buffers are the simulated card's memory itself, which its engine and faults let us see.</summary>
[TestClass]
public sealed class ZeroCopyTests : SimulatedMachineTest
{
    [TestMethod]
    public unsafe void The_engine_computes_in_the_very_buffers_and_nothing_is_copied()
    {
        using TableClient client = Client(new TestQpc { Tensors = 2 });
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        nint[] addresses = [];
        Engine.OnRun = execution => addresses = [.. execution.Tensors.Select(t => t.Address)];
        LentExec exec = LentExec.Create(client, program);
        exec.Tensor(io, 0).Fill(1);
        exec.Tensor(io, 1).Fill(2);

        // Held after the computation: the result is where the host reads it, long before completion.
        using Fault hold = Faults.HoldInference();
        TableClient.Check(exec.Enqueue(client.Queue));
        Await(hold.WhenHit);
        Assert.AreEqual((2f, 4f), (exec.Tensor(io, 2)[0], exec.Tensor(io, 3)[3]));
        hold.Release();
        TableClient.Check(exec.Wait());
        CollectionAssert.AreEqual(Enumerable.Range(0, 4).Select(i => Address(exec.Tensor(io, i))).ToArray(), addresses);
    }

    [TestMethod]
    public unsafe void Only_what_lies_at_an_odd_offset_has_a_place_of_its_own_on_the_card()
    {
        using TableClient client = Client(new TestQpc { Tensors = 3, Elements = 5, Alignment = 4 });
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        nint[] addresses = [];
        Engine.OnRun = execution => addresses = [.. execution.Tensors.Select(t => t.Address)];
        LentExec exec = LentExec.Create(client, program);
        for (int run = 1; run <= 2; run++)
        {
            for (int i = 0; i < 3; i++)
            {
                exec.Tensor(io, i).Fill(run * 10 + i);
            }

            TableClient.Check(exec.Run(client.Queue));
            for (int i = 0; i < 3; i++)
            {
                CollectionAssert.AreEqual(Enumerable.Repeat(2f * (run * 10 + i), 5).ToArray(), exec.Tensor(io, 3 + i).ToArray());
            }
        }

        Assert.IsTrue(addresses.All(a => a % 64 == 0));
        CollectionAssert.AreEqual(new[] { true, false, false, true, false, false }, Enumerable.Range(0, 6).Select(i => Address(exec.Tensor(io, i)) == addresses[i]).ToArray());
    }

    [TestMethod]
    public void The_shapes_are_those_that_fill_the_buffers()
    {
        using TableClient client = Client(new TestQpc { Edit = n => n.AllowedShapes.AddRange([TestQpc.Allow([2], [2]), TestQpc.Allow([4], [4])]) });
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        LentExec exec = LentExec.Create(client, program);
        exec.Tensor(io, 0).Fill(3);
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new float[] { 6, 6, 6, 6 }, exec.Tensor(io, 1).ToArray());
    }

    [TestMethod]
    public void A_network_whose_shapes_never_fill_all_buffers_has_no_zero_copy()
    {
        using TableClient client = Client(new TestQpc { Tensors = 1, Edit = n => n.AllowedShapes.AddRange([TestQpc.Allow([2], [4]), TestQpc.Allow([4], [2])]) });
        nint program = client.Program();
        uint properties = (uint)QAicExecObjProperties.ZeroCopyBuffers;
        Assert.AreEqual(QStatus.Inval, Create(client, program, properties));
        Assert.Contains("2 sets of shapes and none of them fills every buffer", client.LastLog);
    }

    [TestMethod]
    public void The_buffers_stay_when_the_device_is_lost_and_go_with_the_execution_object()
    {
        using TableClient client = Client();
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        LentExec exec = LentExec.Create(client, program);
        exec.Tensor(io, 0).Fill(1);
        TableClient.Check(exec.Run(client.Queue));
        Faults.LoseDevice(0);
        Assert.AreEqual(QStatus.NoDev, exec.Enqueue(client.Queue));
        exec.Tensor(io, 0).Fill(2);
        Assert.AreEqual(2, exec.Tensor(io, 1)[0], "what the last inference wrote");
    }

    [TestMethod]
    public void Properties_that_are_not_known_are_refused_with_those_that_are()
    {
        using TableClient client = Client();
        nint program = client.Program();
        foreach (uint properties in new[] { 2u, 0x10u, 0x80000005u })
        {
            Assert.AreEqual(QStatus.Inval, Create(client, program, properties));
            Assert.Contains($"0x{properties:x} are not known; the simulated library knows 0x4", client.LastLog);
            Assert.Contains("0x1 (zero-copy buffers)", client.LastLog);
        }
    }

    private unsafe QStatus Create(TableClient client, nint program, uint properties)
    {
        nint made;
        return Api.CreateExecObj(client.Context, &made, &properties, program, null, null, null);
    }

    private static unsafe nint Address(Span<float> tensor) => (nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref tensor[0]);
}
