using Qaic;

// sessionprocess <model or QPC> <input file> <output file>
// Runs one inference of a network with one input and one output, writes the output's bytes, and prints the platform and its devices.
using var session = new Session(args[0]);
using (Inference inference = session.Rent())
{
    File.ReadAllBytes(args[1]).CopyTo(inference.InputBytes(0));
    inference.Submit();
    inference.Wait();
    File.WriteAllBytes(args[2], inference.OutputBytes(0).ToArray());
}

Console.WriteLine(session.Platform.Name);
foreach (QaicDevice device in session.Platform.GetDevices())
{
    Console.WriteLine(device);
}
