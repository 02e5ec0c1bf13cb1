using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Cli.Exec;
using Qaic.Options;

namespace Qaic.Cli.Tests;

/// <summary>Command lines of the vendor's compiler that are in use, from its samples and from public benchmarks.</summary>
[TestClass]
public sealed class ExecCommandLineTests
{
    // What the compiler's caller says, and what is no option of a network.
    private static readonly string[] s_callers = ["m", "model", "aic-hw", "aic-hw-version", "aic-binary-dir", "compile-only", "v", "vv", "vvv"];

    private const string Bert = "Mul,Sqrt,Div,Add,ReduceMean,Softmax,Sub,Gather,Erf,Pow,Concat,Tile,LayerNormalization";

    [TestMethod]
    [DataRow("ResNet50 profile", "-m=resnet50.onnx -output-node-name=ArgMax -profiling-threads=8 -num-histogram-bins=512 -input-list-file=list.txt -dump-profile=profile.yaml -batchsize=8")]
    [DataRow("ResNet50 offline", "-m=resnet50.onnx -aic-hw -aic-hw-version=2.0 -aic-binary-dir=qpc -compile-only -load-profile=profile.yaml -quantization-schema=symmetric_with_uint8 -quantization-precision=Int8 -output-node-name=ArgMax -use-producer-dma=1 -batchsize=8 -aic-num-cores=4 -mos=1,2 -ols=4")]
    [DataRow("ResNet50 single stream", "-model=resnet50.onnx -aic-hw -compile-only -load-profile=profile.yaml -quantization-schema=symmetric_with_uint8 -quantization-precision=Int8 -output-node-name=ArgMax -batchsize=1 -aic-num-cores=8 -mos=1 -ols=1 -aic-binary-dir=qpc")]
    [DataRow("SSD-ResNet34", "-m=ssd.onnx -aic-hw -compile-only -load-profile=profile.yaml -enable-channelwise -node-precision-info=node-precision.yaml -aic-num-cores=2 -aic-binary-dir=qpc")]
    [DataRow("RetinaNet", "-m=retinanet.onnx -aic-hw -aic-hw-version=2.0 -compile-only -load-profile=profile.yaml -quantization-schema-activations=asymmetric -quantization-schema-constants=asymmetric -quantization-calibration=None -enable-channelwise -execute-nodes-in-fp16=Sigmoid -aic-enable-depth-first -aic-binary-dir=qpc")]
    [DataRow("BERT-99", $"-m=bert.onnx -aic-hw -compile-only -load-profile=profile.yaml -execute-nodes-in-fp16={Bert} -quantization-precision-bias=Int32 -quantization-calibration=Percentile -percentile-calibration-value=99.9980 -allocator-dealloc-delay=2 -size-split-granularity=1536 -vtcm-working-set-limit-ratio=1 -combine-inputs=false -combine-outputs=false -multicast-weights -aic-num-cores=2 -onnx-define-symbol=batch_size,1 -onnx-define-symbol=seg_length,384 -aic-binary-dir=qpc")]
    [DataRow("BERT-99.9", "-m=bert.onnx -aic-hw -compile-only -convert-to-fp16 -mos=4 -ols=1 -aic-num-cores=4 -aic-binary-dir=qpc")]
    [DataRow("classifiers", "-m=cv.onnx -aic-hw -compile-only -convert-to-fp16 -aic-num-cores=14 -sdp-cluster-sizes=7,7 -multicast-weights -use-producer-dma=1 -mos=1,7 -stats-batchsize=8 -onnx-define-symbol=batch,8 -aic-binary-dir=qpc")]
    [DataRow("YOLO profiled", "-m=yolo.onnx -aic-hw -compile-only -convert-to-fp16 -stats-level=70 -ddr-stats -aic-pmu-recipe=KernelUtil -aic-profiling-type=stats -aic-profiling-type=trace -aic-perf-metrics -aic-perf-warnings -time-passes -aic-binary-dir=qpc -vvv")]
    [DataRow("diffusion", "-m=unet.onnx -aic-hw -compile-only -convert-to-fp16 -allocator-dealloc-delay=4 -aic-enable-depth-first -aic-depth-first-mem=18 -aic-num-cores=12 -aic-binary-dir=qpc")]
    [DataRow("large language model", "-m=llm.onnx -aic-hw -aic-hw-version=ai100 -compile-only -convert-to-fp16 -retained-state -network-specialization-config=specializations.json -custom-IO-list-file=custom_io.yaml -mxfp6-matmul -aic-num-cores=16 -mos=1 -aic-enable-depth-first -sub-functions -aic-binary-dir=qpc")]
    [DataRow("large language model on four cards", "-m=llm.onnx -aic-hw -compile-only -convert-to-fp16 -retained-state -network-specialization-config=s.json -mdp-load-partition-config=mdp.json -mdts-mos=1 -allow-mxint8-mdp-io -aic-num-cores=16 -aic-binary-dir=qpc")]
    [DataRow("template of custom IO", "-m=llm.onnx -aic-hw -compile-only -dump-custom-IO-config-template=out.yaml")]
    [DataRow("Mask R-CNN", "-m=mask.onnx -aic-hw -compile-only -convert-to-quantize -input-list-file=list.txt -quantization-schema-activations=symmetric_with_uint8 -quantization-schema-constants=symmetric_with_uint8 -enable-rowwise -enable-channelwise -keep-original-precision-for-nodes=Softmax,LayerNormalization -aic-binary-dir=qpc")]
    [DataRow("TorchScript", "-m=model.pt -aic-hw -compile-only -model-input=image,float,[1,3,224,224] -model-input=ids,int8q,0.5,-3,[1,8] -aic-binary-dir=qpc")]
    [DataRow("encodings", "-m=a.onnx -external-quantization=encodings.yaml -quantization-precision-bias=Int8 -io-crc -io-crc-stride=256 -qpc-crc -compile-threads=128 -register-custom-op=a.yaml -register-custom-op=b.yaml -aic-binary-dir=qpc")]
    public void Every_flag_of_a_recipe_is_in_the_options_as_it_stands(string recipe, string line)
    {
        string[] arguments = line.Split(' ');

        var parsed = ExecCommandLine.Parse(arguments);

        string[] expected = [.. arguments.Where(a => !s_callers.Contains(OptionTable.FlagOf(a)))];
        string[] actual = [.. OptionTable.CompilerArguments(parsed.Options).Select(a => a.Text)];
        CollectionAssert.AreEquivalent(expected, actual, $"{recipe}: {string.Join(' ', actual)}");
        Assert.AreEqual(arguments.First(a => a.StartsWith("-m", StringComparison.Ordinal)).Split('=')[1], parsed.Model);
        Assert.AreEqual(arguments.FirstOrDefault(a => a.StartsWith("-aic-binary-dir", StringComparison.Ordinal))?.Split('=')[1], parsed.Options.OutputDirectory);
        Assert.AreEqual(line.Contains("-vvv", StringComparison.Ordinal), parsed.IsVerbose);
        Assert.IsFalse(parsed.Runs);
    }

    [TestMethod]
    [DataRow("-x", "Invalid option -x. Use -h, -help, or --help for list of options.")]
    [DataRow("--bogus=1", "Invalid option -bogus. Use -h, -help, or --help for list of options.")]
    [DataRow("-aic-num-core=4", "Invalid option -aic-num-core. Use -h, -help, or --help for list of options. The nearest one is -aic-num-cores.")]
    [DataRow("-convert_to_fp16", "Invalid option -convert_to_fp16. Use -h, -help, or --help for list of options. The nearest one is -convert-to-fp16.")]
    [DataRow("-batch-size=4", "Invalid option -batch-size. Use -h, -help, or --help for list of options. The nearest one is -batchsize.")]
    [DataRow("-custom-io-list-file=a", "Invalid option -custom-io-list-file. Use -h, -help, or --help for list of options. The nearest one is -custom-IO-list-file.")]
    [DataRow("-", "'-' is no option")]
    [DataRow("model.onnx", "'model.onnx' is no option")]
    [DataRow("-aic-num-cores", "Option -aic-num-cores needs a value: -aic-num-cores=<int>.")]
    [DataRow("-m", "Option -m needs a value: -m=<path>.")]
    [DataRow("-num-iter=0", "Option -num-iter must be an integer of 1 or more, not '0'.")]
    [DataRow("-compile-only=maybe", "Option -compile-only is a switch")]
    [DataRow("-use-random-input-data=cauchy", "must be gaussian or uniform")]
    public void What_is_no_option_is_refused_in_the_vendors_words(string argument, string message)
    {
        var e = Assert.ThrowsExactly<UsageException>(() => ExecCommandLine.Parse([argument]));

        StringAssert.Contains(e.Message, message);
    }

    [TestMethod]
    public void A_value_may_be_the_next_word_and_the_last_one_is_in_force()
    {
        var line = ExecCommandLine.Parse(["-m", "a.onnx", "-aic-num-cores", "4", "-aic-num-cores=8", "--convert-to-fp16", "-retained-state=true", "-multicast-weights=false", "-onnx-define-symbol", "past_sequence_length + 1,33", "-use-producer-dma"]);

        Assert.AreEqual("a.onnx", line.Model);
        Assert.AreEqual(8, line.Options.NumCores);
        Assert.IsTrue(line.Options.ConvertToFp16 && line.Options.RetainedState && !line.Options.MulticastWeights && line.Options.UseProducerDma == true);
        Assert.AreEqual(33, line.Options.OnnxDefineSymbol["past_sequence_length + 1"]);
    }

    [TestMethod]
    [DataRow(false, "-aic-binary-dir=qpc")]
    [DataRow(false, "-num-iter=10 -compile-only")]
    [DataRow(false, "-input-list-file=list.txt -dump-profile=p.yaml -num-iter=1")]
    [DataRow(false, "-input-list-file=list.txt -convert-to-quantize")]
    [DataRow(true, "-input-list-file=list.txt -load-profile=p.yaml")]
    [DataRow(true, "-num-iter=10")]
    [DataRow(true, "-time=5 -aic-num-of-activations=2 -aic-num-of-instances=1")]
    [DataRow(true, "-write-output-dir=out -write-output-start-iter=0 -write-output-num-samples=1")]
    [DataRow(true, "-device-id=0")]
    public void The_network_is_run_when_a_flag_says_how_and_none_forbids_it(bool runs, string line) => Assert.AreEqual(runs, ExecCommandLine.Parse(line.Split(' ')).Runs);

    [TestMethod]
    public void Unsupported_arguments_of_the_environment_are_kept_as_they_are()
    {
        var line = ExecCommandLine.Parse(["-m=a.onnx"], " -loader-inline-all=0  -debug-glow ");

        CollectionAssert.AreEqual(new[] { "-loader-inline-all=0", "-debug-glow" }, line.Options.CompilerArguments.ToArray());
    }

    [TestMethod]
    public void No_flag_of_the_tool_is_one_of_the_table_too()
    {
        string[] twice = [.. ExecFlag.All.Select(f => f.Name).Intersect(OptionTable.All.Select(o => o.Flag).OfType<string>())];

        Assert.AreEqual("", string.Join(", ", twice));
    }
}
