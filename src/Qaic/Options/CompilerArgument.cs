namespace Qaic.Options;

/// <summary>One argument for the vendor's compiler.</summary>
/// <param name="Keyword">The option it comes from, as in python: <c>aic_num_cores</c>; <c>compiler_args</c> for raw ones.</param>
/// <param name="Flag">The flag's name without dash and value: <c>aic-num-cores</c>.</param>
/// <param name="Text">The argument as it is passed: <c>-aic-num-cores=4</c>.</param>
public readonly record struct CompilerArgument(string Keyword, string Flag, string Text);
