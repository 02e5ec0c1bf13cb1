namespace Qaic.ML;

/// <summary>Form of one kind of saved model: what says so in the file, and which versions there have been.</summary>
/// <param name="ModelSignature">Exactly 8 characters; part of every saved model.</param>
/// <param name="LoaderSignature">At most 24 characters, at most 0xFF each; part of every saved model.</param>
/// <param name="Written">Version that is written; raised with every change of the form.</param>
/// <param name="Readable">Oldest version whose readers can read what is written now.</param>
/// <param name="Oldest">Oldest version that can still be read.</param>
internal sealed record SavedFormat(string ModelSignature, string LoaderSignature, uint Written, uint Readable, uint Oldest)
{
    public const string ModelLoader = "QaicTransform";
    public const string CalibrationLoader = "QaicCalibration";

    public static readonly SavedFormat Model = new("QAICMODL", ModelLoader, 0x00010002, 0x00010002, 0x00010001);
    public static readonly SavedFormat Calibration = new("QAICCALB", CalibrationLoader, 0x00010001, 0x00010001, 0x00010001);
}
