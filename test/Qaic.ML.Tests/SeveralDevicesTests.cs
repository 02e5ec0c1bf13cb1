using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;
using Qaic.Simulation;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class SeveralDevicesTests
{
    private readonly MLContext _ml = new(seed: 1);

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow(1), DataRow(7), DataRow(40)]
    public void Every_row_is_scored_once_and_in_order_though_a_device_is_lost_under_the_cursor(int occurrence)
    {
        using var network = TestNetwork.Affine(4, 3);
        IDataView data = TestView.Features(400, 3);
        QaicModelOptions options = network.Options(setSize: 2);
        using QaicTransformer model = _ml.Transforms.ApplyQaicModel(options with { Options = options.Options with { DeviceIds = [0, 1] } }).Fit(data);
        using Fault hold = network.Platform.Faults.HoldInference(occurrence);
        Task lose = Task.Run(async () =>
        {
            await hold.WhenHit.WaitAsync(TestContext.CancellationToken);
            network.Platform.Faults.LoseDevice(1);
            hold.Release();
        }, TestContext.CancellationToken);
        Soon.Ends(() => Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(data), "y"), 400, 3));
        lose.Wait(TestContext.CancellationToken);
    }
}
