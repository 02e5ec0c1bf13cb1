namespace Qaic.Options;

/// <summary>When an option takes effect.</summary>
public enum OptionStage
{
    /// <summary>The compiler reads it; it is part of the identity of a QPC.</summary>
    Compile,

    /// <summary>Activation reads it; it can be changed on a live session.</summary>
    Run,

    /// <summary>The session reads it when it is created.</summary>
    Session,
}

/// <summary>How an option is written as arguments of the vendor's compiler.</summary>
public enum OptionForm
{
    /// <summary>It is not an argument.</summary>
    None,

    /// <summary><c>-flag=value</c>.</summary>
    Value,

    /// <summary><c>-flag</c> for true, nothing for false.</summary>
    Switch,

    /// <summary><c>-flag=true</c> or <c>-flag=false</c>; nothing when it is not set.</summary>
    TrueFalse,

    /// <summary><c>-flag=1</c> or <c>-flag=0</c>; nothing when it is not set.</summary>
    OneZero,

    /// <summary>One argument with all elements: <c>-flag=a,b</c>.</summary>
    Joined,

    /// <summary>One argument for each element: <c>-flag=a -flag=b</c>.</summary>
    Repeated,

    /// <summary>Each element is an argument as it stands.</summary>
    Raw,
}

/// <summary>What the text of an option names in the file system.</summary>
public enum OptionFile
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A file that the compiler reads; its content is part of the identity of a QPC.</summary>
    Input,

    /// <summary>A file that the compiler writes beside the QPC.</summary>
    Output,

    /// <summary>A directory, or a tool.</summary>
    Place,
}

/// <summary>Declares a property of <see cref="QaicOptions"/> as an option: everything about it that is not its type.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OptionAttribute(OptionStage stage, string keyword) : Attribute
{
    /// <summary>When the option takes effect.</summary>
    public OptionStage Stage { get; } = stage;

    /// <summary>Name in the vendor's python package and in YAML files.</summary>
    public string Keyword { get; } = keyword;

    /// <summary>Further names that are accepted. The flag is one of them without being listed.</summary>
    public string[] Aliases { get; init; } = [];

    /// <summary>The compiler's flag without its dash; null when there is none.</summary>
    public string? Flag { get; init; }

    /// <summary>How the flag is written.</summary>
    public OptionForm Form { get; init; }

    /// <summary>Whether the spelling of the flag follows from the vendor's naming rule only, and was not seen in a command line.</summary>
    public bool IsFlagInferred { get; init; }

    /// <summary>Smallest value accepted; for numbers, and for each number of a list or map.</summary>
    public double Minimum { get; init; } = double.NegativeInfinity;

    /// <summary>Largest value accepted; for numbers, and for each number of a list or map.</summary>
    public double Maximum { get; init; } = double.PositiveInfinity;

    /// <summary>What applies while the option is not set, in words; needed where the property is null or empty.</summary>
    public string? Unset { get; init; }

    /// <summary>What the text names in the file system.</summary>
    public OptionFile File { get; init; }

    /// <summary>Whether the embedded compiler does what the option says; it only records the others.</summary>
    public bool IsSimulated { get; init; }

    /// <summary>What the option does, its unit and what it needs, in a sentence or two. Other options are named by keyword.</summary>
    public string Help { get; init; } = "";
}

/// <summary>Declares that an option cannot be set together with another.</summary>
[AttributeUsage(AttributeTargets.Property, AllowMultiple = true)]
public sealed class ExcludesAttribute(string property, string reason) : Attribute
{
    /// <summary>The other property.</summary>
    public string Property { get; } = property;

    /// <summary>Why, as a clause.</summary>
    public string Reason { get; } = reason;

    /// <summary>Smallest value of the other option that is excluded; for numbers.</summary>
    public double Minimum { get; init; } = double.NegativeInfinity;

    /// <summary>Largest value of the other option that is excluded; for numbers.</summary>
    public double Maximum { get; init; } = double.PositiveInfinity;
}

/// <summary>Declares that an option has no effect unless another is set.</summary>
[AttributeUsage(AttributeTargets.Property, AllowMultiple = true)]
public sealed class RequiresAttribute(string property, string reason) : Attribute
{
    /// <summary>The other property.</summary>
    public string Property { get; } = property;

    /// <summary>Why, as a clause.</summary>
    public string Reason { get; } = reason;
}
