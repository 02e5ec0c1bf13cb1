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

/// <summary>Declares a property of <see cref="QaicOptions"/> as an option: its stage, and its keyword in python and YAML.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OptionAttribute(OptionStage stage, string keyword) : Attribute
{
    /// <summary>When the option takes effect.</summary>
    public OptionStage Stage { get; } = stage;

    /// <summary>Name in the vendor's python package and in YAML files.</summary>
    public string Keyword { get; } = keyword;

    /// <summary>Smallest value accepted; for numbers.</summary>
    public int Minimum { get; init; } = int.MinValue;

    /// <summary>Largest value accepted; for numbers.</summary>
    public int Maximum { get; init; } = int.MaxValue;
}
