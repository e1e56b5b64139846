"""The forms of ``--format json``, as types; and JSON Schemas of them.

Readers of a form may rely on each key that is listed here. New keys may come: a change by which a reader
could break changes the number of the form. What the keys mean is in ``docs/json.md``.
"""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import (
    Any,
    Literal,
    NotRequired,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from .schema import DIALECT, Schema


class Partial(TypedDict):
    """A count of which only a part is known."""

    at_least: int | None
    why: str


#: How many of something; a size in bytes.
Count = int | Partial

#: A shape without the batch.
Sizes = list[int]


class Reason(TypedDict):
    """Why there is no such thing."""

    reason: str


# --- networks -----------------------------------------------------------------------------------------


class Field(TypedDict):
    """A receptive field along each axis; fractions are texts, as ``"1/2"``."""

    size: list[int | str]
    stride: list[int | str]
    start: list[int | str]
    limits: NotRequired[list[list[int]]]
    misaligned: NotRequired[str]


#: That on one input.
Seen = Field | Reason | Literal["everywhere"]


class CopiesOfLayer(TypedDict):
    """How many experts have such a layer, and to how many of them each token goes."""

    count: int
    active: int


class Layer(TypedDict):
    """A layer of a network."""

    name: str
    op: str
    family: str
    attributes: dict[str, Any]
    inputs: list[str]
    output: Sizes
    arithmetic: str
    weights: dict[str, Sizes]
    buffers: dict[str, Sizes]
    dtypes: dict[str, str]
    params: Count
    macs: Count
    other: dict[str, Count]
    receptive_field: NotRequired[Seen | dict[str, Seen]]
    layout: NotRequired[Literal["channels last"]]
    unsaved: NotRequired[list[str]]
    again: NotRequired[str]
    shared: NotRequired[dict[str, str]]
    training: NotRequired[Literal[True]]
    experts: NotRequired[CopiesOfLayer]
    line: NotRequired[int]
    file: NotRequired[str]


class NetworkTotals(TypedDict):
    """The sums over all layers."""

    params: Count
    active_params: NotRequired[Count]
    macs: Count
    total_macs: NotRequired[Count]
    training_macs: NotRequired[Count]


class Network(TypedDict):
    """A network, layer by layer."""

    schema: Literal["archlens.network/1"]
    name: str
    title: str
    input: Sizes | dict[str, Sizes]
    ids: NotRequired[dict[str, int]]
    values: dict[str, Any]
    outputs: dict[str, str]
    layers: list[Layer]
    totals: NetworkTotals


class Listed(TypedDict):
    """A network of the zoo."""

    name: str
    title: str
    year: int | None
    input: str
    params: Count
    macs: Count
    spec: str


class List(TypedDict):
    """Networks of the zoo."""

    schema: Literal["archlens.list/1"]
    networks: list[Listed]


# --- ops ----------------------------------------------------------------------------------------------


class Argument(TypedDict):
    """An argument of an op."""

    name: str
    required: bool
    default: Any
    takes: str
    meaning: str


class Example(TypedDict):
    """An op on an input."""

    text: str
    inputs: list[Sizes]
    output: Sizes
    params: int
    macs: int


class Op(TypedDict):
    """An op of the language."""

    op: str
    group: str
    family: str
    summary: str
    text: list[str]
    arguments: list[Argument]
    output: str
    parameters: str
    macs: str
    limits: str
    source: str
    names: dict[str, list[str]]
    examples: list[Example]


class Key(TypedDict):
    """A key of a construct."""

    name: str
    default: str | None
    takes: str
    meaning: str


class Construct(TypedDict):
    """What is no op."""

    construct: str
    form: str
    summary: str
    text: str
    keys: list[Key]
    also: list[str]
    example: str
    params: Count
    macs: Count


class Ops(TypedDict):
    """The reference of the language."""

    schema: Literal["archlens.ops/1"]
    ops: list[Op]
    constructs: list[Construct]


# --- sizes --------------------------------------------------------------------------------------------


class Tried(TypedDict):
    """Which sizes fit along axes that were varied together."""

    axes: list[str]
    bound: int
    valid: list[int]
    lossless: list[int]


class Unpadded(TypedDict):
    """From where on the centre of a layer sees no padding."""

    layer: str
    size: list[int | None]


class SizesOfTraining(TypedDict):
    """The sizes that heads for training fit, too."""

    smallest: list[int | None]
    tried: list[Tried]


class CostOfSize(TypedDict):
    """What one input costs."""

    input: Sizes
    params: Count
    macs: Count
    peak_activations: Count | None
    layer: str | None
    field: list[int | str] | None
    clipped: bool | None


class InputSizes(TypedDict):
    """The inputs that a network takes."""

    schema: Literal["archlens.sizes/2"]
    name: str
    input: Sizes
    smallest: list[int | None]
    tried: list[Tried]
    unpadded: Unpadded | None
    training: SizesOfTraining | None
    costs: list[CostOfSize]


# --- search -------------------------------------------------------------------------------------------


class Configuration(TypedDict):
    """One configuration of a search."""

    values: dict[str, Any]
    figures: dict[str, Count | list[int] | None]
    refused: str | None


class Search(TypedDict):
    """The configurations that keep within limits."""

    schema: Literal["archlens.search/1"]
    name: str
    configurations: int
    looked_at: int
    refused: int
    held: int
    where: list[str]
    found: list[Configuration]


# --- formulas -----------------------------------------------------------------------------------------


class SizesOfLetter(TypedDict):
    """The sizes that a letter can have, as far as it alone goes."""

    stretches: list[list[int]]
    start: int | None
    modulus: int
    remainders: list[int]


class Box(TypedDict):
    """Sizes of each letter, and what must hold of several."""

    letters: dict[str, SizesOfLetter]
    conditions: list[str]


class Letter(TypedDict):
    """What a letter was looked at for."""

    own: int | None
    looked_at: int


class LiveSet(TypedDict):
    """The largest live set."""

    largest_of: list[str]
    where: list[Box]


class FormulasOfLayer(TypedDict):
    """A layer."""

    name: str
    op: str
    output: list[str]
    params: str
    macs: str


class Piece(TypedDict):
    """Formulas, and where they hold."""

    where: list[Box]
    macs: str
    params: str
    layers: list[FormulasOfLayer]


class Formulas(TypedDict):
    """A network whose sizes are formulas of letters."""

    schema: Literal["archlens.formula/1"]
    name: str
    inputs: dict[str, list[int | str]]
    batch: str | None
    letters: dict[str, Letter]
    sizes: dict[str, str]
    domain: list[Box]
    proved: bool
    untold: str | None
    activations: str
    live_set: LiveSet
    cache: str | None
    pieces: list[Piece]


class SizesFormulas(TypedDict):
    """The inputs that a network takes, in letters."""

    schema: Literal["archlens.sizes-formula/1"]
    name: str
    inputs: dict[str, list[int | str]]
    batch: str | None
    letters: dict[str, Letter]
    sizes: dict[str, str]
    domain: list[Box]
    proved: bool
    untold: str | None
    lossless: list[Box]
    unknown: list[str]
    params: str
    macs: str
    live_set: LiveSet


class Item(TypedDict):
    """How a kind of other work is counted."""

    formula: str
    source: str


class FormulasOfWork(TypedDict):
    """What layers cost."""

    params: str
    macs: str
    other: dict[str, str]


class FormulasOfRow(FormulasOfWork):
    """A row of the ledger."""

    name: str
    what: str


class PieceOfCost(TypedDict):
    """Formulas of a ledger, and where they hold."""

    where: list[Box]
    totals: FormulasOfWork
    rows: list[FormulasOfRow]


class CostFormulas(TypedDict):
    """What a network costs, in formulas of letters."""

    schema: Literal["archlens.cost-formula/1"]
    name: str
    by: str
    inputs: dict[str, list[int | str]]
    letters: dict[str, Letter]
    sizes: dict[str, str]
    domain: list[Box]
    proved: bool
    untold: str | None
    items: dict[str, Item]
    pieces: list[PieceOfCost]


class Largest(TypedDict):
    """The formulas of which the largest is meant."""

    largest_of: list[str]


class FormulasOfInference(TypedDict):
    """The bytes of activations."""

    outputs: str
    peak_activations: Largest
    in_place: Largest
    eager: Largest


class FormulasOfStep(TypedDict):
    """What a step of the optimizer makes."""

    single: str
    foreach: str


class FormulasOfTraining(TypedDict):
    """The bytes of training, or why there are none."""

    reason: str | None
    gradients: NotRequired[str]
    optimizer_state: NotRequired[str]
    saved: NotRequired[str]
    step: NotRequired[FormulasOfStep]
    peak: NotRequired[Largest]


class MemoryFormulas(TypedDict):
    """What a network needs of memory, in formulas of letters."""

    schema: Literal["archlens.memory-formula/1"]
    name: str
    inputs: dict[str, list[int | str]]
    batch: int | str
    dtype: str
    activations: str
    optimizer: str
    letters: dict[str, Letter]
    sizes: dict[str, str]
    domain: list[Box]
    proved: bool
    untold: str | None
    where: list[Box]
    weights: dict[str, str]
    buffers: str
    inference: FormulasOfInference
    training: FormulasOfTraining
    unknown: list[str]


# --- cost and memory ----------------------------------------------------------------------------------


class Work(TypedDict):
    """What heads do in training only."""

    macs: Count
    other: dict[str, Count]


class Share(TypedDict):
    """A row's share of what a tool counts."""

    params: int
    macs: NotRequired[Count]


class Row(TypedDict):
    """A row of the ledger."""

    name: str
    what: str
    layers: int
    params: Count
    macs: Count
    other: dict[str, Count]
    training: NotRequired[Work]
    counted: NotRequired[dict[str, Share]]


class CostTotals(TypedDict):
    """The sum of all rows."""

    layers: int
    params: Count
    macs: Count
    other: dict[str, Count]
    training: NotRequired[Work]


class Note(TypedDict):
    """Why a tool prints another count, and for how many layers; the first of them."""

    why: str
    layers: int
    first: str
    macs: int
    params: int


class OwnModule(TypedDict):
    """What a tool prints of the module of another library."""

    source: str
    macs: int | None
    params: int | None


class Counted(TypedDict):
    """What a tool counts."""

    name: str
    tool: str
    counts: str
    leaves_out: str
    source: str
    params: Count
    macs: Count | None
    printed_params: Count | None
    printed_macs: Count | None
    notes: list[Note]
    own_module: OwnModule | None


class Decoding(TypedDict):
    """What a decoder computes for a sequence, and for one more token."""

    length: int
    prefill_macs: Count
    token_macs: Count


class Cost(TypedDict):
    """The ledger of a network's work."""

    schema: Literal["archlens.cost/1"]
    name: str
    title: str
    input: Sizes | dict[str, Sizes]
    by: str
    items: dict[str, Item]
    rows: list[Row]
    totals: CostTotals
    unmasked_macs: NotRequired[Count]
    decoding: NotRequired[Decoding | Reason]
    counted: NotRequired[list[Counted]]


class BoardNumbers(TypedDict):
    """What a board has; null where it is not known."""

    name: str
    title: str
    source: str
    sram: int | None
    flash: int | None
    macs_per_second: dict[str, float]
    bytes_per_second: float | None


class PlannedTensor(TypedDict):
    """A tensor in the arena, with the first and the last step at which it is alive."""

    name: str
    bytes: int
    first: int
    last: int
    offset: int


class PlannedArena(TypedDict):
    """Where tensors lie, and the least that any plan takes."""

    bytes: int
    least: int
    step: int
    tensors: list[PlannedTensor]


class RuntimeOperator(TypedDict):
    """An operator of the runtime, and the layers that it is made of."""

    name: str
    layers: list[str]


class Flash(TypedDict):
    """Bytes in flash; the sum is null where it is not known, with the reason."""

    weights: int
    biases: int
    scales: int
    bytes: int | None
    reason: str | None


class Board(TypedDict):
    """What a network takes of a board."""

    schema: Literal["archlens.board/1"]
    name: str
    inputs: dict[str, Sizes]
    weights: str
    activations: str
    board: BoardNumbers | None
    arena: PlannedArena | None
    reason: str | None
    operators: list[RuntimeOperator]
    flash: Flash
    beside: list[str]


class LayerLoad(TypedDict):
    """What a layer computes and moves, and what bounds it on a board."""

    name: str
    macs: Count
    bytes: int
    intensity: float | None
    by: str | None
    seconds: float | None


class LeastTime(TypedDict):
    """A bound from below on the time, and what it comes of."""

    seconds: float
    by: str


class Roofline(TypedDict):
    """Work and bytes of a network's layers."""

    schema: Literal["archlens.roofline/1"]
    name: str
    inputs: dict[str, Sizes]
    batch: int
    weights: str
    activations: str
    board: BoardNumbers | None
    layers: list[LayerLoad]
    macs: Count
    bytes: int
    least_bytes: Count
    least: LeastTime | None
    by_layer: float | None


class Alive(TypedDict):
    """A tensor that is alive at a peak."""

    name: str
    shape: Sizes
    bytes: Count


class Peak(TypedDict):
    """The most that is alive at once."""

    bytes: Count
    layer: str
    alive: list[Alive]
    temporaries: Count


class Inference(TypedDict):
    """The memory of an inference."""

    outputs: Count
    peak_activations: Peak
    in_place: Peak
    eager: Peak


class Step(TypedDict):
    """What an optimizer's step takes besides."""

    single: Count
    foreach: Count


class Moment(TypedDict):
    """A moment of training at which much is alive."""

    when: str
    layer: str
    gradients: Count
    saved: Count
    activations: Count
    activation_gradients: Count
    temporaries: Count
    bytes: Count


class Training(TypedDict):
    """The memory of training."""

    optimizer: str
    gradients: Count
    optimizer_state: Count
    saved: Count | None
    total: Count | None
    step: Step | None
    moments: list[Moment]
    peak: Count | None
    reason: str | None


class BytesOfCache(TypedDict):
    """Bytes of a token and of all of a sequence, by the type of number."""

    token: dict[str, int]
    sequence: dict[str, int]


class Cache(BytesOfCache):
    """The cache of keys and values of one sample."""

    length: int
    latent: NotRequired[BytesOfCache]


class Memory(TypedDict):
    """The memory of a network, in bytes."""

    schema: Literal["archlens.memory/1"]
    name: str
    inputs: dict[str, Sizes]
    batch: int
    dtype: str
    activations: str
    weights: dict[str, Count]
    stored: NotRequired[Count]
    buffers: Count
    inference: Inference
    training: Training
    unknown: list[str]
    kv_cache: NotRequired[Cache | Reason]


# --- published figures and comparisons ----------------------------------------------------------------


class Claim(TypedDict):
    """A figure that somebody printed."""

    what: str
    printed: str
    computed: str | None
    verdict: str
    source: str
    link: str | None
    remark: str
    silent: bool


class Claimed(TypedDict):
    """What was printed of a network."""

    name: str
    claims: list[Claim]


class Claims(TypedDict):
    """What others printed, beside what is computed."""

    schema: Literal["archlens.claims/2"]
    networks: list[Claimed]


class Cause(TypedDict):
    """What else gives a figure as it was printed."""

    tool: str | None
    value: int
    why: str


class AuditedFigure(TypedDict):
    """A figure of a table."""

    what: str
    printed: str
    computed: Count
    verdict: str
    cause: Cause | None


class AuditedRow(TypedDict):
    """A network of a table."""

    name: str
    line: int
    inputs: dict[str, Sizes]
    problem: str | None
    figures: list[AuditedFigure]


class Audit(TypedDict):
    """A published table, beside what is computed."""

    schema: Literal["archlens.audit/1"]
    table: str
    held: bool
    rows: list[AuditedRow]


class Accuracy(TypedDict):
    """An accuracy that somebody published."""

    percent: float
    source: str
    link: str | None


class Record(TypedDict):
    """A network beside others; why a figure is ``null`` is among the reasons."""

    name: str
    title: str
    family: str
    year: int | None
    input: Sizes | dict[str, Sizes]
    depth: Count | None
    params: Count
    active_params: NotRequired[Count]
    macs: Count
    total_macs: NotRequired[Count]
    memory: Count | None
    peak_activations: Count | None
    receptive_field: list[int | str] | None
    everywhere_from: str | None
    smallest: list[int] | None
    classes: int | None
    top1: Accuracy | None
    top5: Accuracy | None
    reasons: dict[str, str]


class Comparison(TypedDict):
    """Networks side by side."""

    schema: Literal["archlens.compare/1"]
    networks: list[Record]


class BeforeAndAfter(TypedDict):
    """A figure of two networks."""

    old: Count | list[int | str] | None
    new: Count | list[int | str] | None


class Change(TypedDict):
    """A layer that is not the same."""

    change: str
    old: str | None
    new: str | None
    op: list[str | None]
    output: list[Sizes | None]
    what: str | None
    params: Count | None
    macs: Count | None


class Renaming(TypedDict):
    """A scope that has another name."""

    old: str
    new: str
    layers: int


class OneDifference(TypedDict):
    """What changed from one network to another."""

    schema: Literal["archlens.diff/1"]
    old: str
    new: str
    identical: bool
    structure: list[str]
    totals: dict[str, BeforeAndAfter]
    unchanged: int
    changes: list[Change]
    renamed: list[Renaming]
    boundary: list[str]


class Differences(TypedDict):
    """What changed between the networks of two files."""

    schema: Literal["archlens.diff/1"]
    old: str
    new: str
    identical: bool
    networks: list[OneDifference]
    added: list[str]
    removed: list[str]


#: Of two networks, or of two files with several.
Difference = OneDifference | Differences


# --- checks -------------------------------------------------------------------------------------------


class Place(TypedDict):
    """Where something stands in a file, if it does."""

    file: str | None
    line: int | None
    column: int | None


class Marked(TypedDict):
    """The same with how many characters it takes."""

    file: NotRequired[str]
    line: NotRequired[int]
    column: NotRequired[int]
    width: NotRequired[int]


class Heaviest(TypedDict):
    """A layer that contributes much."""

    name: str
    value: Count


class Verdict(Place):
    """A limit, and whether it holds."""

    quantity: str
    scope: str | None
    limit: str
    value: Count | list[int | str] | None
    reason: str | None
    percent: float | None
    margin: Count | float | None
    held: bool
    heaviest: list[Heaviest]


class LockedFigure(TypedDict):
    """A figure that is not as it was locked."""

    quantity: str
    locked: int | str | list[int] | None
    value: Count | str | list[int] | None
    percent: float | None
    held: bool


class Drift(TypedDict):
    """How a network compares with the lock file."""

    held: bool
    compared: int
    problem: str | None
    changes: list[LockedFigure]


class Problem(Place):
    """Why a network cannot be measured."""

    message: str


class Checked(TypedDict):
    """A network and its limits."""

    name: str
    held: bool
    limits: list[Verdict]
    lock: Drift | None
    problem: Problem | None


class Check(TypedDict):
    """Networks against their budgets."""

    schema: Literal["archlens.check/1"]
    held: bool
    checked: int
    networks: list[Checked]
    tolerance: float | None
    gone: list[str]


class LintProblem(Marked):
    """Why a network has no findings."""

    message: str
    notes: list[str]
    help: str | None


class Also(Marked):
    """Another place that a finding is about."""

    label: str


class Finding(Marked):
    """What is most likely a mistake, or worth knowing."""

    code: str
    rule: str
    level: str
    message: str
    layers: list[str]
    notes: list[str]
    help: str | None
    also: list[Also]
    numbers: dict[str, Any]


class Linted(TypedDict):
    """The findings of a network."""

    name: str
    error: LintProblem | None
    findings: list[Finding]


class Lint(TypedDict):
    """The findings of networks."""

    schema: Literal["archlens.lint/1"]
    networks: list[Linted]
    totals: dict[str, int]


class Comparing(TypedDict):
    """Something that was compared with torch, or with the runtime of a file."""

    layer: str
    what: str
    status: str
    says: str
    found: str
    reason: str


class Verified(TypedDict):
    """A network and each check of it."""

    name: str
    passed: bool
    device: str
    torch: str
    fvcore: str | None
    batch: int
    seconds: float | None
    peak_bytes: int | None
    predicted_bytes: int | None
    why_meta: NotRequired[str]
    stated: NotRequired[list[str]]
    opaque: NotRequired[list[str]]
    uncounted: list[str]
    checks: list[Comparing]


class Verification(TypedDict):
    """What archlens says of networks, compared with what torch does."""

    schema: Literal["archlens.verification/1"]
    networks: list[Verified]


class Passed(TypedDict):
    """A network, and how many of its checks passed of those that apply."""

    name: str
    passed: bool
    layers: int
    checks: dict[str, list[int]]
    seconds: float | None
    peak_bytes: int | None
    predicted_bytes: int | None
    why_meta: NotRequired[str]
    stated: NotRequired[list[str]]
    opaque: NotRequired[list[str]]


class VerificationInBrief(TypedDict):
    """The same in a line a network."""

    schema: Literal["archlens.verified/1"]
    device: str
    torch: str
    fvcore: str | None
    batch: int
    uncounted: list[str]
    networks: list[Passed]


# --- all other tables ---------------------------------------------------------------------------------


class ColumnOfTable(TypedDict):
    """A column."""

    name: str
    unit: str | None


class PlainTable(TypedDict):
    """A table as it is printed."""

    headline: str
    summary: str
    columns: list[ColumnOfTable]
    rows: list[dict[str, Any]]
    notes: list[str]
    more: list["PlainTable"]


class Table(PlainTable):
    """The same where a command has no form of its own."""

    schema: Literal["archlens.table/1"]


#: What `--format json` of each command prints.
OUTPUTS: Mapping[str, Any] = {
    "audit": Audit,
    "board": Board,
    "check": Check,
    "claims": Claims,
    "compare": Comparison,
    "cost": Cost | CostFormulas,
    "diff": Difference,
    "fit": Search,
    "lint": Lint,
    "list": List,
    "memory": Memory | MemoryFormulas,
    "ops": Ops,
    "roofline": Roofline,
    "rules": Table,
    "shapes": Network | Formulas,
    "search": Search,
    "sizes": InputSizes | SizesFormulas,
    "trace": Table,
    "verify": Verification | VerificationInBrief,
}


def output_schema(command: str, *, open_ended: bool = True) -> Schema:
    """The JSON Schema of what a command prints with ``--format json``.

    Args:
        command: its name.
        open_ended: whether there may be keys that are not listed, as in versions to come.
    """
    found: dict[str, Schema] = {}
    root = _schema(OUTPUTS[command], found, open_ended)
    return {"$schema": DIALECT, "title": f"archlens {command} --format json", **root, "$defs": found}


_PLAIN: Mapping[Any, Schema] = {
    Any: {},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
}


def _schema(kind: Any, found: dict[str, Schema], open_ended: bool) -> Schema:
    """That of a type; what it refers to comes to what was found."""
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    origin, args = get_origin(kind), get_args(kind)
    if origin is NotRequired:
        return _schema(args[0], found, open_ended)
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(one, found, open_ended) for one in args]}
    if origin is Literal:
        return {"const": args[0]}
    if origin is list:
        return {"type": "array", "items": _schema(args[0], found, open_ended)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(args[1], found, open_ended)}
    assert is_typeddict(kind), kind
    name = kind.__name__
    if name not in found:
        found[name] = {}  # it may be a part of itself
        hints = get_type_hints(kind)
        found[name] |= {
            "description": kind.__doc__,
            "type": "object",
            "properties": {key: _schema(one, found, open_ended) for key, one in hints.items()},
            "required": sorted(kind.__required_keys__),
            "additionalProperties": open_ended,
        }
    return {"$ref": f"#/$defs/{name}"}
