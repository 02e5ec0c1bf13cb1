using System.Buffers.Binary;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

// publicizer <assembly> <copy> <type>…
// Sets the visibility flags of the named types and of their internal fields and methods to public, in a copy of the assembly.
// Nothing else changes: no row moves, no size, no name, so the copy stands for the original at compile time.
if (args.Length < 3)
{
    Console.Error.WriteLine("usage: publicizer <assembly> <copy> <full type name>...");
    return 2;
}

(string source, string copy, string[] types) = (args[0], args[1], args[2..]);
byte[] image = File.ReadAllBytes(source);
using (var pe = new PEReader(new MemoryStream(image, writable: false)))
{
    MetadataReader reader = pe.GetMetadataReader();
    int metadata = pe.PEHeaders.MetadataStartOffset;
    var missing = types.ToHashSet();
    foreach (TypeDefinitionHandle handle in reader.TypeDefinitions)
    {
        TypeDefinition type = reader.GetTypeDefinition(handle);
        if (!missing.Remove(type.IsNested ? "" : $"{reader.GetString(type.Namespace)}.{reader.GetString(type.Name)}"))
        {
            continue;
        }

        // ECMA-335 II.22: Flags is the first column of TypeDef (4 bytes) and Field (2 bytes); in MethodDef it follows RVA (4) and ImplFlags (2).
        Patch(TableIndex.TypeDef, MetadataTokens.GetRowNumber(handle), column: 0, (int)TypeAttributes.VisibilityMask, (int)TypeAttributes.Public);
        foreach (FieldDefinitionHandle field in type.GetFields())
        {
            if (IsInternal((int)reader.GetFieldDefinition(field).Attributes))
            {
                Patch(TableIndex.Field, MetadataTokens.GetRowNumber(field), column: 0, (int)FieldAttributes.FieldAccessMask, (int)FieldAttributes.Public);
            }
        }

        foreach (MethodDefinitionHandle method in type.GetMethods())
        {
            if (IsInternal((int)reader.GetMethodDefinition(method).Attributes))
            {
                Patch(TableIndex.MethodDef, MetadataTokens.GetRowNumber(method), column: 6, (int)MethodAttributes.MemberAccessMask, (int)MethodAttributes.Public);
            }
        }
    }

    if (missing.Count > 0)
    {
        Console.Error.WriteLine($"error: {source} has no type {string.Join(", ", missing)}; it has moved or was renamed in this version.");
        return 1;
    }

    void Patch(TableIndex table, int row, int column, int mask, int value)
    {
        // All the masks lie in the low byte.
        int at = metadata + reader.GetTableMetadataOffset(table) + ((row - 1) * reader.GetTableRowSize(table)) + column;
        Span<byte> flags = image.AsSpan(at, sizeof(ushort));
        int patched = (BinaryPrimitives.ReadUInt16LittleEndian(flags) & ~mask) | value;
        BinaryPrimitives.WriteUInt16LittleEndian(flags, (ushort)patched);
    }
}

// Renamed into place, so that a build beside this one sees the old file or the new one.
Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(copy))!);
string temporary = $"{copy}.{Environment.ProcessId}";
File.WriteAllBytes(temporary, image);
File.Move(temporary, copy, overwrite: true);
return 0;

// Fields and methods share the numbering: FamANDAssem (2) and Assembly (3).
static bool IsInternal(int attributes) => (attributes & (int)MethodAttributes.MemberAccessMask) is (int)MethodAttributes.FamANDAssem or (int)MethodAttributes.Assembly;
