using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using Qaic.ML;
using Qaic.Quantization;

// Everything of ML.NET that is not public, and why: src/decisions/2026-11-24-ml-net-internals.md. Guarded by MlNetInternalsTests.
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Core")]

// What makes a plain mlContext.Model.Load find us: ML.NET reads this attribute of the assembly that a model names.
[assembly: LoadableClass(typeof(QaicTransformer), typeof(SavedModel), null, typeof(SignatureLoadModel), "Qualcomm Cloud AI 100 scoring", SavedFormat.ModelLoader)]
[assembly: LoadableClass(typeof(QaicCalibrationTransformer), typeof(SavedCalibration), null, typeof(SignatureLoadModel), "Qualcomm Cloud AI 100 calibration", SavedFormat.CalibrationLoader)]

namespace Qaic.ML
{
    /// <summary>The only place that touches ML.NET's internals.</summary>
    internal static class MlNetInternals
    {
        /// <summary>The environment behind a catalog: its log, its component catalog.</summary>
        public static IHostEnvironment EnvironmentOf(TransformsCatalog catalog)
        {
            try
            {
                return Environment(catalog) ?? new MLContext();
            }
            catch (MissingFieldException)
            {
                // Another ML.NET than the one tested. All that is lost is the context's log.
                return new MLContext();
            }
        }

        /// <summary>Begins our part of a model: a header, then entries of any size.</summary>
        public static void WriteHeader(ModelSaveContext context, SavedFormat format)
        {
            context.CheckAtModel();
            context.SetVersionInfo(Version(format));
        }

        /// <summary>Adds an entry, streamed.</summary>
        public static void WriteEntry(ModelSaveContext context, string name, Action<Stream> write) =>
            context.SaveBinaryStream(name, writer =>
            {
                writer.Flush();
                write(writer.BaseStream);
            });

        /// <summary>Checks that this version of the library can read what follows.</summary>
        /// <exception cref="FormatException">A newer version wrote it, or it is damaged.</exception>
        public static void ReadHeader(ModelLoadContext context, SavedFormat format) => context.CheckAtModel(Version(format));

        /// <summary>Reads an entry, streamed.</summary>
        /// <exception cref="FormatException">There is no such entry.</exception>
        public static void ReadEntry(ModelLoadContext context, string name, Action<Stream> read)
        {
            if (!context.TryLoadBinaryStream(name, reader => read(reader.BaseStream)))
            {
                throw new FormatException($"The saved model has no entry '{name}'. It was damaged, or written by another program.");
            }
        }

        private static VersionInfo Version(SavedFormat format) => new(
            format.ModelSignature, format.Written, format.Readable, format.Oldest, typeof(QaicTransformer).Assembly.FullName, format.LoaderSignature, null);

        // TransformsCatalog.cs, unchanged since 2019. No public way leads from mlContext.Transforms to its context.
        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_env")]
        private static extern ref IHostEnvironment Environment(TransformsCatalog catalog);
    }

    /// <summary>Makes a transformer from a saved model. ML.NET finds <see cref="Create"/> by its name and signature.</summary>
    internal static class SavedModel
    {
        public static QaicTransformer Create(IHostEnvironment environment, ModelLoadContext context)
        {
            MlNetInternals.ReadHeader(context, SavedFormat.Model);
            ModelSettings? settings = null;
            MlNetInternals.ReadEntry(context, ModelSettings.EntryName, stream => settings = ModelSettings.Read(stream));

            // ML.NET deletes its file when the model is loaded, and the session needs one for as long as it lives.
            TemporaryFile? program = null;
            MlNetInternals.ReadEntry(context, ModelSettings.ProgramEntryName, stream => program = TemporaryFile.CopyOf(stream));
            return QaicTransformer.Load(environment, settings!, program!);
        }
    }

    /// <summary>Makes a calibration's transformer from a saved model. ML.NET finds <see cref="Create"/> by its name and signature.</summary>
    internal static class SavedCalibration
    {
        public static QaicCalibrationTransformer Create(IHostEnvironment environment, ModelLoadContext context)
        {
            MlNetInternals.ReadHeader(context, SavedFormat.Calibration);
            QuantizationProfile? profile = null;
            MlNetInternals.ReadEntry(context, QaicCalibrationTransformer.EntryName, stream => profile = QuantizationProfile.Read(stream, $"entry '{QaicCalibrationTransformer.EntryName}' of the saved model"));
            return new QaicCalibrationTransformer(environment, profile!);
        }
    }
}

namespace System.Runtime.CompilerServices
{
    /// <summary>The runtime knows this attribute by name: code of this assembly may use the internals of the one named.</summary>
    [AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
    [SuppressMessage("Style", "IDE0060:Remove unused parameter", Justification = "Read by the runtime.")]
    internal sealed class IgnoresAccessChecksToAttribute(string assemblyName) : Attribute
    {
        public string AssemblyName { get; } = assemblyName;
    }
}
