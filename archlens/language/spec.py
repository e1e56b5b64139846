"""A spec file as a value."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import field
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from ..errors import Source, Span, UsageError, did_you_mean, error, printable, shorten, usage
from ..network import Meta
from ..records import record
from .document import (
    Mapping,
    Node,
    Scalar,
    Sequence,
    check_keys,
    compose,
    describe,
    expect_mapping,
    expect_text,
)
from .expression import MAX_TEXT, Expression, check, parse_python
from .steps import (
    MAX_NAME,
    RESERVED,
    Block,
    Body,
    Template,
    Value,
    check_name,
    read_body,
    read_template,
    read_value,
)

if TYPE_CHECKING:
    from ..limits import Requirement
    from ..published import Entry

#: The most variants of a file: each of them is a network of its own to lint, check or report.
MAX_VARIANTS = 1000
#: How long the label of a block may be.
MAX_LABEL = 60

#: What ends a line in YAML, apart from the line feed.
_BREAKS = re.compile("\r\n?|[\x85\u2028\u2029]")

#: The top-level keys, in the order in which they are best written.
KEYS = (
    "title", "summary", "paper", "notes", "input", "use", "params", "blocks", "layers", "outputs", "aliases",
    "variants", "published", "budget",
)  # fmt: skip

PAPER_KEYS = ("authors", "title", "year", "venue", "arxiv", "doi", "url")


@record(frozen=True, eq=False)
class Param:
    """A named value; without one it must be given, by a variant or by the user."""

    name: str
    value: Value | None
    span: Span


@record(frozen=True, eq=False)
class Output:
    """A further head. One for training only adds parameters, and no work at inference."""

    name: Template
    body: Body
    training: bool

    @property
    def span(self) -> Span:
        """Where its name stands."""
        return self.name.span


@record(frozen=True, eq=False)
class Variant:
    """A name of the command line: values for params and, where they differ, other things."""

    name: str
    values: dict[str, tuple[Value, Span]]
    inputs: dict[str, Template]
    meta: Meta
    span: Span


@record(frozen=True, eq=False)
class Alias:
    """A second name of a step or tensor in the state dict; ``*`` is one part of a name, the same in both."""

    second: Scalar
    first: Scalar

    @property
    def span(self) -> Span:
        """Where the second name stands."""
        return self.second.span


def check_variant(variant: str, variants: Collection[str], path: str) -> None:
    """Refuse a variant that a file has not; an empty one is none.

    Raises:
        UsageError: it has no such variant.
    """
    if variant and variant not in variants:
        raise no_variant(variant, variants, path)


def no_variant(variant: str, variants: Collection[str], path: str) -> UsageError:
    """What is said of a variant that a file has not."""
    said = f"its variants: {', '.join(variants)}" if variants else "it has no variants"
    return usage(
        f"{printable(path)} has no variant {shorten(variant)}",
        help=did_you_mean(variant, variants, otherwise=said),
    )


@record(frozen=True, eq=False)
class Use:
    """A name for another network, or for a part of one: of the zoo, or in another file."""

    name: str
    key: Scalar
    #: What it is, as it is written: ``resnet50``, ``./head.yaml:small``, ``resnet50.bottleneck``.
    target: Scalar

    @property
    def span(self) -> Span:
        """Where it is given."""
        return self.key.span


@record(frozen=True, eq=False)
class Part:
    """What is used of another spec: all its layers, a step of them, or one of its blocks."""

    use: Use
    spec: Spec
    variant: str
    #: The block; else its steps.
    block: Block | None
    body: Body

    @property
    def name(self) -> str:
        """What it is called where it is used."""
        return self.use.name

    @property
    def required(self) -> dict[str, bool]:
        """What can be given where it is used, and whether it must be: the params, and where to stop."""
        values = self.spec.variants[self.variant].values if self.variant else {}
        params = self.spec.params.items()
        return {
            "until": False,
            **{name: param.value is None and name not in values for name, param in params},
        }


@record(frozen=True, eq=False)
class Spec:
    """A parsed spec file."""

    name: str
    source: Source
    meta: Meta
    inputs: dict[str, Template]
    params: dict[str, Param]
    blocks: dict[str, Block]
    layers: Body
    outputs: dict[str, Output]
    variants: dict[str, Variant]
    uses: dict[str, Use] = field(default_factory=dict)
    aliases: tuple[Alias, ...] = ()
    #: What is used of other specs, once they have been read.
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def texts(self) -> Iterator[str]:
        """Its text, and those of all that it uses."""
        yield self.source.text
        for part in self.parts.values():
            yield from part.spec.texts


def parse(text: str, *, name: str = "network", path: str | None = None) -> Spec:
    """The spec in a text.

    Args:
        text: YAML.
        name: what the network is called where the file does not say.
        path: what messages call the file.

    Raises:
        SpecError: the text is no spec; the diagnostic says what and where.
    """
    source = Source(path or name, _BREAKS.sub("\n", text.removeprefix("\ufeff")))
    root = compose(source)
    start = Span(source, 1, 1)
    if root is None or (isinstance(root, Scalar) and root.empty):
        raise error("the file is empty", start, help="a spec needs at least `input:` and `layers:`")
    if not isinstance(root, Mapping):
        raise error(
            f"a spec is a mapping with keys such as input: and layers:, not {describe(root)}",
            Span(source, root.line, root.column),
        )
    check_keys(root, KEYS, "a spec")
    for key, example in (("input", "input: 1x32x32"), ("layers", "layers: [conv(6, 5), relu]")):
        if key not in root.keys:
            first = next(iter(root.keys.values()), root)
            raise error(f"the spec has no {key}:", first.span, help=f"for example {example}")

    params = _section(root, "params", _read_param)
    blocks: dict[str, Block] = {}
    for block in _section(root, "blocks", _read_block).values():
        if block.name in blocks:
            raise error(
                f"the block {block.name} is defined twice",
                block.span,
                also=[("it stands here first", blocks[block.name].span)],
            )
        if block.name in params:
            raise error(
                f"{block.name} is both a param and a block",
                block.span,
                also=[("the param", params[block.name].span)],
            )
        blocks[block.name] = block
    uses = _section(root, "use", _read_use)
    for use in uses.values():
        for what, known in (("a block", blocks), ("a param", params)):
            if use.name in known:
                raise error(
                    f"{use.name} is both {what} and a part of another file",
                    use.span,
                    also=[(f"{what[2:]}", known[use.name].span)],
                )
    inputs = _read_inputs(root.values["input"])
    meta = _read_meta(root)
    listed = root.values.get("variants")
    if isinstance(listed, Mapping) and len(listed.keys) > MAX_VARIANTS:
        raise list(listed.keys.values())[MAX_VARIANTS].error(
            f"the file has more than {MAX_VARIANTS:,} variants", help="a value can be given with --set, too"
        )
    variants = _section(root, "variants", lambda key, node: _read_variant(key, node, params, inputs, meta))
    return Spec(
        name=name,
        source=source,
        meta=meta,
        inputs=inputs,
        params=params,
        blocks=blocks,
        layers=read_body(root.values["layers"]),
        outputs=_section(root, "outputs", _read_output),
        variants=variants,
        uses=uses,
        aliases=tuple(_section(root, "aliases", _read_alias).values()),
    )


def _section(root: Mapping, key: str, read: Callable[[Scalar, Node], Any]) -> dict[str, Any]:
    """A mapping of names to things, read one by one; empty where the key is absent."""
    node = root.values.get(key)
    if node is None or (isinstance(node, Scalar) and node.empty):
        return {}
    mapping = expect_mapping(node, f"{key}:")
    return {name.value: read(name, value) for name, value in mapping.items()}


def check_identifier(key: Scalar, what: str) -> str:
    """A key as a name that expressions can use."""
    name = key.value
    if not name.isidentifier() or name in RESERVED or len(name) > 200:
        reason = f"{name} has its own meaning in expressions" if name in RESERVED else "letters, digits and _"
        raise key.error(f"'{shorten(name)}' cannot name {what}", help=reason)
    if iskeyword(name):
        raise key.error(f"{name} is a word of the expression language, and cannot name {what}")
    return name


def _read_param(key: Scalar, node: Node) -> Param:
    name = check_identifier(key, "a param")
    empty = isinstance(node, Scalar) and node.empty
    return Param(name, None if empty else read_value(node), key.span)


def _read_use(key: Scalar, node: Node) -> Use:
    name = check_identifier(key, "a part")
    if not isinstance(node, Scalar) or node.empty:
        raise node.error(
            f"use: says what {name} is, but got {describe(node)}",
            help="a network of the zoo, as in resnet50; a file, as in ./head.yaml; "
            "a block or step of either, as in resnet50.bottleneck",
        )
    return Use(name, key, node)


def _read_alias(key: Scalar, node: Node) -> Alias:
    if not isinstance(node, Scalar) or node.empty:
        raise node.error(
            f"{shorten(key.value)} is a second name, and the first is missing: this is {describe(node)}",
            help="a step or a tensor, as in `decoder.embed: encoder.embed`",
        )
    stars = []
    for one in (key, node):
        check_name(one.value, one)
        parts = one.value.split(".")
        if any("*" in part and part != "*" for part in parts):
            raise one.error(
                f"in {shorten(one.value)} a * is less than a part of a name",
                help="it stands for all between two dots, as in `blocks.*.first: blocks.*.layers.0`",
            )
        stars.append(parts.count("*"))
    if stars[0] != stars[1]:
        raise key.error(
            f"{shorten(key.value)} has {stars[0]} *, and {shorten(node.value)} has {stars[1]}",
            help="each stands for the same in both names, as in `blocks.*.first: blocks.*.layers.0`",
        )
    return Alias(key, node)


def _signature(text: str) -> ast.FunctionDef | None:
    """A signature by Python's grammar; ``None`` where it is none, or has types, which blocks do not."""
    if len(text) > MAX_TEXT:
        return None
    try:
        statements = parse_python(text, "exec").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    tree = statements[0]
    if len(statements) > 1 or not isinstance(tree, ast.FunctionDef) or tree.returns:
        return None
    if getattr(tree, "type_params", None) or any(argument.annotation for argument in tree.args.args):
        return None
    return tree


def _read_block(key: Scalar, node: Node) -> Block:
    """A block from its signature, as ``bottleneck(width, stride=1)``, and its body."""
    text = key.value
    prefix = "def "
    name = text.partition("(")[0].strip()
    tree = _signature(f"{prefix}{text if '(' in text else text + '()'}: 0")
    if tree is None:
        raise key.error(
            f"'{shorten(text)}' is not the signature of a block",
            help="as in `bottleneck(width, stride=1):`; parameters with a default come last",
        )
    if len(tree.name) > MAX_NAME:
        raise key.error(f"a name of {len(tree.name):,} characters is more than the {MAX_NAME} allowed")
    arguments = tree.args
    if arguments.posonlyargs or arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
        raise key.error(f"{shorten(name)} has a parameter with * or /, which blocks do not have")
    if tree.name in RESERVED:
        raise key.error(f"{tree.name} has its own meaning in expressions, and cannot name a block")
    # the text starts 4 characters later in the tree than in the file
    offset = key.index + (0 if key.plain else 1) - len(prefix)
    whole = Expression(prefix + text, ast.Constant(0), key, offset)
    parameters: dict[str, tuple[Expression, ast.expr] | None] = {}
    required = len(arguments.args) - len(arguments.defaults)
    for index, argument in enumerate(arguments.args):
        if argument.arg in RESERVED:
            raise key.error(f"{argument.arg} has its own meaning in expressions, and cannot be a parameter")
        if argument.arg in parameters:
            raise key.error(f"{shorten(name)} has two parameters called {shorten(argument.arg)}")
        default = None
        if index >= required:
            tree_ = arguments.defaults[index - required]
            default = (Expression(whole.text, tree_, key, offset), tree_)
            check(default[0])
        parameters[argument.arg] = default
    label, steps = _labelled(node)
    return Block(tree.name, parameters, read_body(steps), key.span, label)


def _labelled(node: Node) -> tuple[str, Node]:
    """The label of a block, and its steps; one without a label is its steps alone."""
    if not isinstance(node, Mapping) or "label" not in node.keys or len(node.keys) < 2:
        return "", node
    key = node.keys["label"]
    if "layers" not in node.keys:
        raise key.error(
            "label: goes with layers:, which holds the steps of the block",
            help='as in {label: "MBConv", layers: [...]}; a step that is called label has a line of its own',
        )
    check_keys(node, ("label", "layers"), "a block with a label")
    value = node.values["label"]
    label = expect_text(value, "label:").strip()
    if not label or not label.isprintable():
        raise value.error(
            "a label is a line of text", help='what pictures call the block, as in label: "MBConv"'
        )
    if len(label) > MAX_LABEL:
        raise value.error(f"a label of {len(label):,} characters is more than the {MAX_LABEL} allowed")
    return label, node.values["layers"]


def _read_output(key: Scalar, node: Node) -> Output:
    training = isinstance(node, Mapping) and list(node.keys) == ["training"]
    body = read_body(node.values["training"] if training and isinstance(node, Mapping) else node)
    return Output(read_template(key, "a name"), body, training)


def _read_variant(
    key: Scalar, node: Node, params: dict[str, Param], declared: dict[str, Template], file: Meta
) -> Variant:
    if not key.value or not key.value.isprintable() or any(c in key.value for c in ':/\\ "'):
        raise key.error(f"'{shorten(key.value)}' cannot name a variant: no spaces, colons or slashes")
    values: dict[str, tuple[Value, Span]] = {}
    if isinstance(node, Scalar) and node.empty:
        return Variant(key.value, {}, {}, Meta(), key.span)
    mapping = expect_mapping(node, f"the variant {shorten(key.value)}", help="as in {depths: [3, 4, 6, 3]}")
    others = ("input", *_META_KEYS)
    for inner in mapping.keys.values():
        if inner.value in params:
            values[inner.value] = (read_value(mapping.values[inner.value]), inner.span)
        elif inner.value not in others:
            raise inner.error(
                f"{shorten(inner.value)} is not a param of this file",
                help=did_you_mean(
                    inner.value,
                    [*params, *others],
                    otherwise=f"its params: {', '.join(params)}" if params else "it has none",
                ),
            )
    inputs = _read_inputs(mapping.values["input"]) if "input" in mapping.keys else {}
    for name, template in inputs.items():
        if name not in declared:
            raise error(
                f"the network has no input {shorten(name)}",
                template.span,
                help=did_you_mean(name, declared, otherwise=f"its inputs: {', '.join(declared)}"),
            )
    return Variant(key.value, values, inputs, _read_meta(mapping, file.papers), key.span)


def _read_inputs(node: Node) -> dict[str, Template]:
    """The inputs by name; a single one is called ``input``."""
    if isinstance(node, Mapping):
        if not node.keys:
            raise node.error("the network has no input", help="for example 3x224x224")
        return {check_identifier(key, "an input"): _read_shape(value) for key, value in node.items()}
    return {"input": _read_shape(node)}


def _read_shape(node: Node) -> Template:
    if not isinstance(node, Scalar) or node.empty:
        raise node.error(
            f"an input is written as CxHxW, but got {describe(node)}",
            help="for example 3x224x224: channels, height, width, without the batch",
        )
    return read_template(node, "a shape")


_META_KEYS = ("title", "summary", "notes", "paper", "published", "budget")


def _read_meta(root: Mapping, papers: tuple[dict[str, str], ...] = ()) -> Meta:
    """The parts that are for people. Their texts are kept as written.

    Args:
        root: the whole file, or a variant.
        papers: what a variant is published in where it does not say.
    """

    def text(key: str) -> str:
        node = root.values.get(key)
        return expect_text(node, f"{key}:").strip() if node is not None else ""

    notes = root.values.get("notes")
    listed = notes.items if isinstance(notes, Sequence) else [notes] if notes is not None else []
    requirements: tuple[Requirement, ...] = ()
    budget = root.values.get("budget")
    if budget is not None:
        from .budget import read_budget  # most specs have none

        requirements = read_budget(budget)
    own = tuple(_read_records(root, "paper", PAPER_KEYS, "title"))
    published: tuple[Entry, ...] = ()
    printed = root.values.get("published")
    if printed is not None:
        from .published import read_published  # most specs of one's own have none

        published = read_published(printed, own or papers)
    return Meta(
        title=text("title"),
        summary=text("summary"),
        notes=tuple(expect_text(note, "a note").strip() for note in listed),
        papers=own,
        published=published,
        requirements=requirements,
    )


def _read_records(root: Mapping, key: str, known: tuple[str, ...], required: str) -> Iterator[dict[str, str]]:
    """A list of mappings of texts with known keys, or one mapping alone; what is left empty is left out."""
    node = root.values.get(key)
    if node is None:
        return
    for item in node.items if isinstance(node, Sequence) else [node]:
        mapping = expect_mapping(item, f"{key}:")
        check_keys(mapping, known, f"{key}:")
        filled = {
            name: value
            for name, value in mapping.values.items()
            if not (isinstance(value, Scalar) and value.empty)
        }
        if required not in filled:
            raise mapping.error(f"{key}: needs a {required}:")
        yield {name: expect_text(value, f"{name}:") for name, value in filled.items()}
