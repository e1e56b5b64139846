"""What a spec is made of beside ops: the constructs of the language, each with its form and a use of it.

``archlens ops`` and ``docs/ops.md`` explain them, editors show what they say first, and what they are called
elsewhere leads to them. ``tests/test_constructs.py`` holds that each has its mistakes in the manual of
mistakes, is drawn in random networks, and stands in an example of the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..ops import Op
from ..ops.experts import Experts


class Construct(NamedTuple):
    """A part of the language that is no op."""

    #: How it is written.
    form: str
    #: What it means, in a sentence.
    summary: str
    #: What else is to be known.
    text: str
    #: A spec that uses it.
    example: str
    #: What it is called elsewhere, as ``synonyms`` looks words up.
    also: str = ""
    #: The op whose arguments are among its keys, and what it has beside them, with what that means.
    op: type[Op] | None = None
    parts: Mapping[str, str] = {}


#: By the names under which ``archlens ops`` has them.
CONSTRUCTS: dict[str, Construct] = {
    "chain": Construct(
        "a >> b",
        "One step after the other.",
        "The items of a list run one after the other as well.",
        "input: 3x8x8\nlayers:\n  - conv(8, 3) >> batch_norm >> relu",
        "sequential pipe then compose",
    ),
    "repeat": Construct(
        "step * 3",
        "Repeats a step, each time with weights of its own.",
        (
            "Under a name, the repeats are numbered from 0 in its scope. `again` uses the same weights "
            "instead."
        ),
        "params: {depth: 3}\ninput: 8x8x8\nlayers:\n  - stage: conv(8, 3, padding=1) * depth",
        "repeated",
    ),
    "choice": Construct(
        "a if stride > 1 else b",
        "One of two steps, chosen when the network is laid out.",
        "The condition depends on params and sizes, never on the values that flow through the network.",
        "params: {normalized: true}\ninput: 8x8x8\nlayers:\n  - batch_norm if normalized else identity",
        "if when ifelse cond condition conditional ternary switchcase",
    ),
    "none": Construct(
        "none",
        "Nothing: no step, and no branch of a merge.",
        "`identity`, in contrast, is a step that passes on its input.",
        "params: {dropped: false}\ninput: 8\nlayers:\n"
        "  - drop: dropout(0.5) if dropped else none\n  - linear(4)",
        "nothing null absent",
    ),
    "scope": Construct(
        "name: step, name: [steps]",
        "A name for a layer, or for the scope of several; the names are keys of torch's state dict.",
        "Steps without a name count 0, 1, 2 in their scope, as in a Sequential. Where another step is named, "
        "those without weights are called by their op: relu, relu_1.",
        "input: 3x8x8\nlayers:\n  - stem: conv(8, 3) >> relu\n  - head: conv(4, 1)",
        "name namedmodule modulescope namescope",
    ),
    "path": Construct(
        "convs.0: step",
        "A step of the scope `convs`, among other steps that are not in it.",
        "It describes the parts of an `nn.ModuleList` or `nn.ModuleDict` that are called one by one.",
        "input: 3x8x8\nlayers:\n  - convs.0: conv(8, 3)\n  - relu\n  - convs.1: conv(8, 3)",
        "modulelist moduledict",
    ),
    "template": Construct(
        '"layer{i}": step',
        "A text or a name with the values of the expressions in its braces.",
        "A name that is empty once its braces are filled makes no scope.",
        'input: 8x8x8\nlayers:\n  - each: i\n    in: range(3)\n    do: [{"conv{i + 1}": "conv(8, 1)"}]',
        "fstring format interpolation braces",
    ),
    "residual": Construct(
        "residual: [steps]",
        "x + F(x); with `shortcut:` next to it, shortcut(x) + F(x).",
        "With `shortcut: none` it is F(x) alone.",
        "input: 8x8x8\nlayers:\n  - residual: conv(8, 3, padding=1) >> relu >> conv(8, 3, padding=1)",
        "skipconnection residualblock resblock residualconnection",
    ),
    "shortcut": Construct(
        "shortcut: [steps]",
        "What is added to F(x) instead of x; it is written next to `residual:`.",
        "A projection where the sizes change, and `identity` where they do not.",
        "input: 8x8x8\nlayers:\n  - residual: conv(16, 3, stride=2, padding=1)\n"
        "    shortcut: conv(16, 1, stride=2)",
        "projection downsample projectionshortcut",
    ),
    "dense": Construct(
        "dense: [steps]",
        "concat(x, F(x)): the output of the steps is appended to the channels of their input.",
        "A fully connected layer, which Keras calls Dense, is `linear`.",
        "input: 8x8x8\nlayers:\n  - dense: batch_norm >> relu >> conv(4, 3, padding=1)",
        "denseblock denselayer denseconnection",
    ),
    "gate": Construct(
        "gate: [steps]",
        "x * F(x), as in squeeze and excitation, which weights channels.",
        "Along each axis, F(x) has the size of x or 1.",
        "input: 8x6x6\nlayers:\n  - gate: global_avg_pool >> conv(2, 1) >> relu >> conv(8, 1) >> sigmoid",
        "gating attentiongate",
    ),
    "merge": Construct(
        'concat: [steps, steps], concat(axis="length"): [steps, steps]',
        "Branches of the same tensor, as a list or by name, which an op merges.",
        "`add`, `concat`, `multiply`, `subtract`, `matmul` and others are such ops; their arguments are "
        "part of the key, as in a call. The branches of `attention` are named `q`, `k` and `v`, and "
        "optionally `bias` and `sinks`; its arguments are written next to them.",
        "input: 8x6x6\nlayers:\n  - concat:\n      narrow: conv(4, 1)\n      wide: conv(4, 3, padding=1)",
        "branch split fork inception",
    ),
    "each": Construct(
        "each: [n, width], in: [[2, 64], [3, 128]], do: [steps]",
        "A table of rows, as papers print them; the steps run once for each row.",
        "`in:` may be an expression for a list, such as `range(4)`. Within a merge each row is a branch.",
        "input: 3x16x16\nlayers:\n  - each: [n, width]\n    in: [[1, 8], [2, 16]]\n"
        "    do: conv(width, 3, padding=1) * n >> max_pool(2)",
        "for foreach loop while enumerate zip table",
    ),
    "ref": Construct(
        'ref(name), ref(stage.conv), ref("layer{i}.conv")',
        "The output of an earlier step.",
        "Names are resolved in the enclosing scope, and then further out; for a scope, it is the output of "
        "its last step. `ref(input.left)` is an input.",
        "input: 3x8x8\nlayers:\n  - left: conv(4, 3)\n  - right: conv(4, 3, padding=1)\n"
        "  - concat: [identity, ref(left)]",
        "reference goto feature getlayer",
    ),
    "again": Construct(
        "again(name)",
        "Applies an earlier step again, with the same weights.",
        "The weights are counted once, the multiply-accumulates at each use.",
        "input: {left: 1x8x8, right: 1x8x8}\nlayers:\n  - subtract:\n"
        "      - [ref(input.left), {tower: 'conv(4, 3)'}]\n      - [ref(input.right), again(tower)]",
        "share shared sharedweights weightsharing reuse siamese recurse tiedmodule",
    ),
    "weight": Construct(
        "linear(50257, bias=false, weight=wte)",
        "An op whose weight is that of an earlier layer.",
        'Both keys are in the state dict; with `weight="wte.weight"` it has none of its own.',
        "input: 8 of 100\nlayers:\n  - wte: embedding(16)\n  - lm_head: linear(100, bias=false, weight=wte)",
        "tie tied tying tieweights tiedweights tyingweights weighttying tiedembedding",
    ),
    "initial": Construct(
        "lstm(64, initial=memory)",
        "A recurrent layer that starts from states which an earlier step gives.",
        'The states are rows such as those that `output="both"` puts behind the steps: one for each layer, '
        "with its directions side by side, and for an LSTM as many of its cells behind them.",
        "input: {source: 12 of 100, target: 9 of 120}\nlayers:\n  - ref(input.source) >> embedding(32)\n"
        '  - encoder: lstm(64, output="both")\n  - memory: slice(-2, axis="length")\n'
        "  - ref(input.target) >> embedding(32)\n  - decoder: lstm(64, initial=memory)",
        "initialstate initialstates hx h0 seq2seq encoderdecoder",
    ),
    "experts": Construct(
        "experts: {count: 8, active: 2, do: step}",
        (
            "Many copies of one step, each with weights of its own; a router sends each token to a few "
            "of them."
        ),
        "One expert is laid out, on the tokens that are sent to it, and its layers stand for those of all.",
        "input: 6x64 channels_last\nlayers:\n  - block_sparse_moe:\n      - experts:\n"
        "          count: 8\n          active: 2\n          do: linear(256) >> silu >> linear(64)",
        "expert moe mixtureofexperts sparsemoe moelayer router topkrouter",
        Experts,
        {
            "do": "one expert: steps that treat every token alike, whatever its position",
            "gate": "the router, if not a linear layer without a bias",
        },
    ),
    "block": Construct(
        "blocks: {bottleneck(width, stride=1): [steps]}",
        "Steps with parameters, called like an op: `bottleneck(64, stride=2)`.",
        "A block makes no scope by itself; the name of the step that calls it does.",
        "input: 3x16x16\nblocks:\n  unit(width, stride=1):\n"
        "    - conv(width, 3, stride, padding=1) >> batch_norm >> relu\n"
        "layers:\n  - unit(8)\n  - unit(16, stride=2)",
        "def function class module macro blocks layertemplate submodule",
    ),
    "use": Construct(
        "use: {resnet: resnet50, head: ./head.yaml}",
        "Another network, or a part of one, as a step: from the zoo or from another file.",
        '`resnet(until="layer4")` ends it after one of its steps; its params are arguments.',
        "input: 3x64x64\nuse: {resnet: resnet18}\nlayers:\n"
        '  - backbone: resnet(until="layer2")\n  - head: conv(10, 1)',
        "import include from load backbone pretrained extends",
    ),
    "until": Construct(
        'resnet(until="layer4")',
        "The step after which a network from another file ends.",
        "",
        'input: 3x64x64\nuse: {resnet: resnet18}\nlayers:\n  - resnet(until="layer1.0")',
        "featureextractor upto returnlayers outindices",
    ),
    "params": Construct(
        "params: {width: 64, classes: 1000}",
        "Named values for all expressions; `--set width=32` overrides one.",
        "One without a value must be given. A param may be an op or a block: `{norm: batch_norm}`.",
        "params: {width: 8, norm: batch_norm}\ninput: 3x8x8\nlayers:\n  - conv(2 * width, 3) >> norm",
        "hyperparameters hparams config variables constants settings args",
    ),
    "input": Construct(
        'input: 3x224x224, input: {ids: 77 of 49408, image: "50x80 channels_last"}',
        "The inputs, without the batch; ids are below a given number, and channels may be last.",
        "Several inputs have names, and `ref(input.image)` is one of them.",
        "input: {left: 4x8x8, right: 4x8x8}\nlayers:\n  - add: [ref(input.left), ref(input.right)]",
        "inputs placeholder inputshape",
    ),
    "outputs": Construct(
        "outputs: {aux: [steps]}, outputs: {aux: {training: [steps]}, out: none}",
        "Further outputs by name; a head may run only in training.",
        "The end of `layers:` is the output `out`, which `out: none` drops.",
        "input: 3x8x8\nlayers:\n  - stem: conv(8, 3)\n  - head: conv(2, 1)\n"
        "outputs:\n  boxes: ref(stem) >> conv(4, 1)",
        "heads auxiliary aux return outputlayer",
    ),
    "aliases": Construct(
        "aliases: {decoder.embed: encoder.embed, blocks.*.first: blocks.*.layers.0}",
        "Second names of steps and tensors, each with the first; the state dict has the keys of both.",
        "As of a module that two attributes of another hold, or that a list holds twice. It changes nothing "
        "else: parameters count once. `*` stands for one part of a name, the same in both. Where a second "
        "layer works with the tensors of the first, `again` and `weight=` say so.",
        "input: 3x8x8\nlayers:\n  - stem: conv(8, 3)\n  - heads.0: conv(2, 1)\n"
        "aliases:\n  heads.1: heads.0\n  patch_embed.proj: stem",
        "alias secondname keys statedict registeredtwice sharedmodule sameparameter othername",
    ),
    "variants": Construct(
        "variants: {small: {width: 32}}",
        "Names for the command line, each with its own params, input or title.",
        "",
        "params: {width: 8}\ninput: 3x8x8\nlayers:\n  - conv(width, 3)\nvariants:\n"
        "  small: {width: 4}\n  large: {width: 32}",
        "sizes versions presets models flavours",
    ),
    "functions": Construct(
        "divisible(v, 8), min max round ceil floor int len sum range",
        "Functions of numbers and lists in expressions; `divisible` is MobileNet's rounding of channels.",
        "Expressions can use the params, `x` (the incoming tensor), `input`, arithmetic and lists.",
        "params: {alpha: 0.35}\ninput: 3x8x8\nlayers:\n  - conv(divisible(32 * alpha, 8), 3)",
        "makedivisible expression arithmetic",
    ),
}
