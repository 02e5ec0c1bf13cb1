using Qaic.ML.Tests.Support;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class RowSampleTests
{
    [TestMethod]
    [DataRow(null), DataRow(10), DataRow(11)]
    public void All_rows_are_taken_without_a_limit_or_below_it(int? limit) =>
        CollectionAssert.AreEqual(Enumerable.Range(0, 10).ToArray(), Taken(10, limit, seed: 3));

    [TestMethod]
    [DataRow(1), DataRow(7), DataRow(99)]
    public void As_many_as_the_limit_says_are_taken_whatever_the_seed(int limit)
    {
        for (int seed = 0; seed < 50; seed++)
        {
            Assert.HasCount(limit, Taken(100, limit, seed));
        }
    }

    [TestMethod]
    public void A_seed_takes_the_same_rows_whether_or_not_the_data_knows_their_number()
    {
        int[] known = Taken(1000, 20, seed: 5);
        CollectionAssert.AreEqual(known, Taken(1000, 20, seed: 5));
        CollectionAssert.AreEqual(known, Taken(1000, 20, seed: 5, knowsRowCount: false));
        CollectionAssert.AreNotEqual(known, Taken(1000, 20, seed: 6));
    }

    [TestMethod]
    public void Every_row_is_as_likely_as_any_other()
    {
        const int Rounds = 4000;
        int[] times = new int[20];
        for (int seed = 0; seed < Rounds; seed++)
        {
            foreach (int row in Taken(times.Length, 5, seed))
            {
                times[row]++;
            }
        }

        // A quarter of 4000, give or take six standard deviations of 27.
        Array.ForEach(times, t => Assert.AreEqual(Rounds / 4, t, 165));
    }

    [TestMethod]
    public void Counting_computes_no_column()
    {
        TestView data = new(50) { KnowsRowCount = false };
        RowSample.Of(data, 10, seed: 1);
        Assert.IsEmpty(data.LastActive);
        Assert.AreEqual((50, 0), (data.RowsRead, data.OpenCursors));
    }

    private static int[] Taken(int rows, int? limit, int seed, bool knowsRowCount = true)
    {
        var sample = RowSample.Of(new TestView(rows) { KnowsRowCount = knowsRowCount }, limit, seed);
        var taken = new List<int>();
        for (int row = 0; row < rows && !sample.IsComplete; row++)
        {
            if (sample.TakesNext())
            {
                taken.Add(row);
            }
        }

        return [.. taken];
    }
}
