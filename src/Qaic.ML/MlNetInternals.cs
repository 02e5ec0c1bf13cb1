using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using Qaic.ML;

// Everything of ML.NET that is not public, and why: src/decisions/2026-11-24-ml-net-internals.md. Guarded by MlNetInternalsTests.
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Core")]

// What makes a plain mlContext.Model.Load find us: ML.NET reads this attribute of the assembly that a model names.
[assembly: LoadableClass(typeof(QaicTransformer), typeof(SavedModel), null, typeof(SignatureLoadModel), MlNetInternals.UserName, MlNetInternals.LoaderSignature)]

namespace Qaic.ML
{
    /// <summary>The only place that touches ML.NET's internals.</summary>
    internal static class MlNetInternals
    {
        public const string UserName = "Qualcomm Cloud AI 100 scoring";

        // At most 24 characters, at most 0xFF each; part of every saved model.
        public const string LoaderSignature = "QaicTransform";

        // Exactly 8 characters; part of every saved model.
        private const string ModelSignature = "QAICMODL";

        // Raise Written with every change of a saved model's format, Readable when readers of that version cannot read it any more.
        private const uint Written = 0x00010002;
        private const uint Readable = 0x00010002;
        private const uint Oldest = 0x00010001;

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
        public static void WriteHeader(ModelSaveContext context)
        {
            context.CheckAtModel();
            context.SetVersionInfo(Version());
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
        public static void ReadHeader(ModelLoadContext context) => context.CheckAtModel(Version());

        /// <summary>Reads an entry, streamed.</summary>
        /// <exception cref="FormatException">There is no such entry.</exception>
        public static void ReadEntry(ModelLoadContext context, string name, Action<Stream> read)
        {
            if (!context.TryLoadBinaryStream(name, reader => read(reader.BaseStream)))
            {
                throw new FormatException($"The saved model has no entry '{name}'. It was damaged, or written by another program.");
            }
        }

        private static VersionInfo Version() => new(ModelSignature, Written, Readable, Oldest, typeof(QaicTransformer).Assembly.FullName, LoaderSignature, null);

        // TransformsCatalog.cs, unchanged since 2019. No public way leads from mlContext.Transforms to its context.
        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_env")]
        private static extern ref IHostEnvironment Environment(TransformsCatalog catalog);
    }

    /// <summary>Makes a transformer from a saved model. ML.NET finds <see cref="Create"/> by its name and signature.</summary>
    internal static class SavedModel
    {
        public static QaicTransformer Create(IHostEnvironment environment, ModelLoadContext context)
        {
            MlNetInternals.ReadHeader(context);
            ModelSettings? settings = null;
            MlNetInternals.ReadEntry(context, ModelSettings.EntryName, stream => settings = ModelSettings.Read(stream));

            // ML.NET deletes its file when the model is loaded, and the session needs one for as long as it lives.
            TemporaryFile? program = null;
            MlNetInternals.ReadEntry(context, ModelSettings.ProgramEntryName, stream => program = TemporaryFile.CopyOf(stream));
            return QaicTransformer.Load(environment, settings!, program!);
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
