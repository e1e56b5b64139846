"""The steps of a spec as records: what stands under ``layers``, ``outputs`` and in blocks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import field

from ..errors import Located, Span, did_you_mean, error, shorten
from ..ops import BRANCHES, MERGES
from ..ops.op import signature
from ..records import record
from .document import Mapping, Node, Scalar, Sequence, check_keys, describe
from .expression import Expression, Parts, is_torn, parse, split, torn
from .synonyms import merge_meant


@record(slots=True, eq=False)
class Template:
    """A text with expressions in braces, as ``denselayer{i}``."""

    parts: Parts
    node: Scalar

    @property
    def span(self) -> Span:
        """Where it stands."""
        return self.node.span

    @property
    def literal(self) -> str | None:
        """The text itself, where it holds no expression."""
        return self.parts[0] if len(self.parts) == 1 and isinstance(self.parts[0], str) else None

    @property
    def says_more(self) -> bool:
        """Whether it says of an input more than its sizes, as ``{length} of 49408`` does."""
        words = {word for part in self.parts if isinstance(part, str) for word in part.lower().split()}
        return not words.isdisjoint(("of", "channels_last"))

    @property
    def certain(self) -> str | None:
        """The text that it is whatever the params are: itself, or that of ``{'add'}``."""
        words = [part if isinstance(part, str) else _text_of(part.tree) for part in self.parts]
        return None if None in words else "".join(word for word in words if word is not None)


def _text_of(tree: ast.expr) -> str | None:
    """The text that an expression is; ``None`` for any other."""
    return tree.value if isinstance(tree, ast.Constant) and isinstance(tree.value, str) else None


@record(slots=True, eq=False)
class Body:
    """Steps that run in a scope of their own, with the names that are certain to stand in it."""

    step: Step
    names: dict[str, Located]
    #: Whether a step in it is named by more than a number, be the name certain or not.
    is_named: bool = False


@record(slots=True, eq=False)
class Block:
    """A reusable group of steps: its parameters, in order, with their defaults; and its body."""

    name: str
    parameters: dict[str, tuple[Expression, ast.expr] | None]
    body: Body
    span: Span
    #: How pictures head it; empty for its name.
    label: str = ""
    #: Whether each parameter must be given.
    required: dict[str, bool] = field(init=False)

    def __post_init__(self) -> None:
        self.required = {name: default is None for name, default in self.parameters.items()}


@record(slots=True, eq=False)
class Do:
    """One expression: an op, a block, a chain, a repeat, a choice."""

    expression: Expression


@record(slots=True, eq=False)
class Steps:
    """One after the other."""

    steps: list[Step]


@record(slots=True, eq=False)
class Named:
    """A step with a name, which is the layer's own or the scope of what is inside."""

    name: Template
    body: Body


@record(slots=True, eq=False)
class Merge:
    """Parallel branches over the same tensor, merged by an op.

    ``form`` is the key that opened it: the op itself, or ``residual``, ``dense`` or ``gate``, which
    merge with the tensor that flowed in. A branch of ``None`` is that tensor.
    """

    form: str
    op: str
    branches: list[Step | None]
    where: Located
    #: What the op is given beside its branches: by name, where that stands and the value.
    arguments: dict[str, tuple[Scalar, Value]] = field(default_factory=dict)
    #: The same as a call, where the key is one: ``concat(axis="length")``.
    call: Expression | None = None


@record(slots=True, eq=False)
class Each:
    """A table: the steps of ``do``, once for each row."""

    names: list[str]
    rows: Value
    do: Step
    where: Located


@record(slots=True, eq=False)
class Experts:
    """Many of one step, of which each token goes to a few: by a router, a linear layer unless it is given."""

    do: Body
    gate: Step | None
    where: Located
    #: What is said beside: by name, where that stands and the value.
    arguments: dict[str, tuple[Scalar, Value]]

    @property
    def form(self) -> str:
        """The key that opened it."""
        return EXPERTS


Step = Do | Steps | Named | Merge | Each | Experts


@record(slots=True, eq=False)
class Listing:
    """A YAML list whose items are expressions or lists of them."""

    items: list[Value]
    span: Span


#: What stands for a value: an expression, or a YAML list of values.
Value = Expression | Listing

#: The keys that merge with the tensor that flowed in, and the op that they merge with.
FORMS: dict[str, str] = {"residual": "add", "dense": "concat", "gate": "multiply"}

#: The merges each of whose branches has a part of its own, with the names of these.
PARTS = {kind: branches for kind, (branches, _) in BRANCHES.items() if branches}

#: Those that they may have behind these.
OPTIONAL_PARTS = {kind: BRANCHES[kind][1] for kind in PARTS}

#: The key of experts, and those beneath it that hold steps.
EXPERTS = "experts"
_EXPERTS_STEPS = ("do", "gate")

KEYWORDS = (*FORMS, "shortcut", *(kind for kind in MERGES if kind not in PARTS), "each", "in", "do")


def _is_keyword(key: str, value: Node) -> bool:
    """Whether a key of a step is one of the language; ``attention`` is over a mapping, and else a name."""
    parted = (key in PARTS or key == EXPERTS) and isinstance(value, Mapping)
    return key in KEYWORDS or parted or called(key) is not None


def called(key: str) -> str | None:
    """The merge that a key calls with arguments, as ``concat(axis="length")`` does.

    One whose branches have parts of their own has its arguments beside them.
    """
    kind, bracket, rest = key.partition("(")
    return kind if bracket and rest.endswith(")") and kind in MERGES and kind not in PARTS else None


def read_step(node: Node) -> Step:
    """The step that a node says.

    Raises:
        SpecError: it says none.
    """
    if isinstance(node, Scalar):
        if node.empty:
            raise node.error("a step is missing here", help="an op such as relu, a block, or a list of steps")
        return Do(parse(node))
    if isinstance(node, Sequence):
        return Steps([read_step(item) for item in node.items])
    assert isinstance(node, Mapping)
    return _read_mapping(node)


def read_body(node: Node) -> Body:
    """The steps of a node, for a scope of their own."""
    step = read_step(node)
    names: dict[str, Located] = {}
    is_named = False
    for name, where in _static_names(step):
        is_named |= name is None or not name.isdecimal()
        if name is not None:
            names.setdefault(name, where)
    return Body(step, names, is_named)


def _called(word: str) -> str:
    """How a name is written that is a word of the language, to be added to other advice."""
    return f"; as a name it is written \"{{'{word}'}}\":"


def _own_line(key: str) -> str:
    """What to do about a key that stands in the list item of another step."""
    if key == "shortcut":
        return f"shortcut: goes with residual:{_called(key)}"
    return f"give each step its own line that starts with a dash: - {shorten(key)}: ..."


def _read_mapping(node: Mapping) -> Step:
    found = [key for key, value in node.values.items() if _is_keyword(key, value)]
    if not node.keys:
        raise node.error("a step is missing here")
    if not found:
        if len(node.keys) > 1:
            for key, value in node.items():
                for part in (key, value):
                    if isinstance(part, Scalar) and is_torn(part, part.value):
                        raise torn(part, part.value)
            first, second = list(node.keys)[:2]
            raise node.keys[second].error(
                f"{shorten(first)} and {shorten(second)} are in one list item", help=_own_line(second)
            )
        ((key, value),) = node.items()
        return _read_named(key, value)
    if "each" in found:
        return _read_each(node)
    if EXPERTS in found:
        check_keys(node, (EXPERTS,), f"{EXPERTS}:", _own_line)
        return _read_experts(node)
    form = next((key for key in found if key in FORMS or key in MERGES or called(key)), None)
    if form is None:
        raise node.keys[found[0]].error(
            f"{found[0]}: stands alone",
            help=(
                "shortcut: goes with residual:"
                if found[0] == "shortcut"
                else "each:, in: and do: go together"
            )
            + _called(found[0]),
        )
    check_keys(node, (form, "shortcut") if form == "residual" else (form,), f"{form}:", _own_line)
    where = node.keys[form]
    if form in FORMS:
        inner = read_step(node.values[form])
        if form == "residual":
            shortcut = read_step(node.values["shortcut"]) if "shortcut" in node.keys else None
            return Merge(form, FORMS[form], [inner, shortcut], where)
        return Merge(form, FORMS[form], [None, inner], where)
    branches, kind = node.values[form], called(form)
    if kind is not None:
        return Merge(kind, kind, _read_branches(branches, kind), where, call=parse(where))
    arguments: dict[str, tuple[Scalar, Value]] = {}
    if form in PARTS:
        assert isinstance(branches, Mapping)  # else it would be a name
        branches, arguments = _read_parts(branches, form, where)
    return Merge(form, form, _read_branches(branches, form), where, arguments)


def _read_named(key: Scalar, value: Node) -> Named:
    """A step with a name; over several steps, a name that seems to say how they are merged is refused."""
    name = read_template(key, "a name")
    if not isinstance(value, Scalar):
        _check_scope(name, key)
    body = read_body(value)
    if isinstance(body.step, Do) and isinstance(body.step.expression.tree, ast.Tuple | ast.List):
        _check_scope(name, key)
    return Named(name, body)


def _check_scope(name: Template, key: Scalar) -> None:
    """Refuse the name of a scope that everybody else, or a reader of a keyword, takes for a merge.

    Raises:
        SpecError: it is one, and not written as an expression.
    """
    if name.literal is None:
        return
    advice = merge_meant(name.literal, KEYWORDS)
    if advice is not None:
        word = shorten(name.literal)
        raise key.error(
            f"{word}: is not a key of the language; it would name a scope whose steps run in sequence",
            help=f"{advice} A scope with this name is written \"{{'{word}'}}\":",
        )


def _read_parts(node: Mapping, form: str, where: Scalar) -> tuple[Mapping, dict[str, tuple[Scalar, Value]]]:
    """The branches of a merge in the order of their parts, and its arguments.

    Branches that have names of their own stand in that order.
    """
    parts, optional, known = PARTS[form], OPTIONAL_PARTS[form], signature(MERGES[form])
    arguments = {
        key: (node.keys[key], read_value(value))
        for key, value in node.values.items()
        if key in known and key not in optional
    }
    names = [key for key in node.keys if key not in arguments]
    most = len(parts) + sum(part not in known for part in optional)  # without the names of parts
    if any(part in names for part in parts):
        for name in names:
            if name not in (*parts, *optional):
                raise node.keys[name].error(
                    f"{form}: has no {shorten(name)}:",
                    help=did_you_mean(name, [*parts, *optional, *known], otherwise=usage_of_merge(form)),
                )
        missing = [part for part in parts if part not in names]
        if missing:
            raise where.error(f"{form}: is missing {' and '.join(missing)}", help=usage_of_merge(form))
        names = [*parts, *(part for part in optional if part in names)]
        most = len(parts) + len(optional)
    if not len(parts) <= len(names) <= most:
        more = f", and perhaps {' and '.join(optional)}" if optional else ""
        raise where.error(
            f"{form}: merges {len(parts)} branches, {', '.join(parts)}{more}, but got {len(names) or 'none'}",
            help=f"{usage_of_merge(form)}; a scope with this name holds a list",
        )
    keys = {name: node.keys[name] for name in names}
    values = {name: node.values[name] for name in names}
    return Mapping(node.source, node.line, node.column, node.index, node.end, keys, values), arguments


def _read_experts(node: Mapping) -> Experts:
    where, inside = node.keys[EXPERTS], node.values[EXPERTS]
    assert isinstance(inside, Mapping)  # else it would be a name
    from ..ops.experts import Experts as ExpertsOp

    known = signature(ExpertsOp)
    keys = (*known, *_EXPERTS_STEPS)
    scope = "a scope with this name holds a list"
    check_keys(inside, keys, f"{EXPERTS}:", lambda _: f"its keys are {', '.join(keys)}; {scope}")
    for key in (*(name for name, one in known.items() if one.required), "do"):
        if key not in inside.keys:
            raise where.error(
                f"{EXPERTS}: is missing {key}",
                help=f"{usage_of_merge(EXPERTS)}; {scope}",
            )
    gate = read_step(inside.values["gate"]) if "gate" in inside.keys else None
    arguments = {
        key: (inside.keys[key], read_value(value)) for key, value in inside.values.items() if key in known
    }
    return Experts(read_body(inside.values["do"]), gate, where, arguments)


def usage_of_merge(form: str) -> str:
    """How a merge is written whose branches have names."""
    if form == EXPERTS:
        return "experts: {count: 8, active: 2, do: expert}"
    needed = [name for name, parameter in signature(MERGES[form]).items() if parameter.required]
    return f"{form}: {{{', '.join(f'{key}: ...' for key in (*PARTS[form], *needed))}}}"


def _read_branches(node: Node, form: str) -> list[Step | None]:
    branches: list[Step | None]
    if isinstance(node, Mapping) and "each" in node.keys:
        branches = [_read_each(node)]
    elif isinstance(node, Mapping):
        for key in node.keys.values():
            if _is_keyword(key.value, node.values[key.value]):
                raise key.error(
                    f"{key.value}: cannot name a branch",
                    help=f"a branch that is itself a merge belongs in a list, or has a name: {form}: "
                    f"[{{name: {{{key.value}: ...}}}}]{_called(key.value)}",
                )
        branches = [_read_named(key, value) for key, value in node.items()]
    elif isinstance(node, Sequence):
        branches = [read_step(item) for item in node.items]
    else:
        raise node.error(
            f"{form}: merges branches, but got {describe(node)}",
            help=f"a list of branches, or a mapping of names to branches, under {form}:{_called(form)}",
        )
    if len(branches) < 2 and not any(isinstance(branch, Each) for branch in branches):
        raise node.error(
            f"{form}: merges at least two branches, but got {'one' if branches else 'none'}",
            help=f"`identity` is the incoming tensor{_called(form)}",
        )
    return branches


def _read_each(node: Mapping) -> Each:
    check_keys(node, ("each", "in", "do"), "a table", _own_line)
    for key in ("in", "do"):
        if key not in node.keys:
            raise node.keys["each"].error(
                f"a table without {key}:",
                help="each: names its columns, in: holds its rows, do: holds the steps of a row",
            )
    head = node.values["each"]
    columns = head.items if isinstance(head, Sequence) else [head]
    names: list[str] = []
    for column in columns:
        if not isinstance(column, Scalar) or not column.value.isidentifier():
            raise column.error("a column of a table needs a name such as t or c", help="each: [t, c, n, s]")
        if column.value in names:
            raise column.error(f"two columns have the name {shorten(column.value)}")
        if column.value in RESERVED:
            raise column.error(f"{column.value} has its own meaning in expressions", help="use another name")
        names.append(column.value)
    return Each(names, read_value(node.values["in"]), read_step(node.values["do"]), node.keys["each"])


#: Names that expressions give a meaning of their own.
RESERVED = ("x", "input", "ref", "again", "true", "false", "none", "null", "True", "False", "None")


def read_value(node: Node) -> Value:
    """The value that a node says: an expression, or a list of values."""
    if isinstance(node, Scalar):
        return parse(node)
    if isinstance(node, Sequence):
        return Listing([read_value(item) for item in node.items], node.span)
    raise node.error("expected a value here, not a mapping", help="a number, an expression or a list")


#: Longest name of a step.
MAX_NAME = 200


def read_template(node: Scalar, what: str) -> Template:
    """A text with expressions in braces."""
    text = node.value
    if "{" not in text and "}" not in text:
        if what == "a name":
            check_step(text, node)
        return Template((text,), node)
    start = node.index + (0 if node.plain else 1)
    exact = node.source.text.startswith(text, start)
    return Template(split(text, node, start if exact else -1), node)


def check_step(name: str, where: Located) -> None:
    """Refuse what cannot be the name of a step in a spec: as :func:`check_name` does, and what is a call.

    Merges that take arguments have those in the key, ``concat(axis="length"):``, and nothing else has.

    Raises:
        SpecError: it cannot.
    """
    check_name(name, where)
    op, bracket, _ = name.partition("(")
    if bracket and op.isidentifier() and name.endswith(")"):
        raise error(
            f"{shorten(op)} is not a merge; {shorten(name)}: would name what is under it",
            where.span,
            help=f"- {shorten(name)} is a step by itself, and blocks are defined under blocks:",
        )


def check_name(name: str, where: Located | None) -> None:
    """Refuse what cannot be a part of a state-dict key; in a path each part is one.

    Raises:
        SpecError: it is empty, too long, or holds a blank, or a dot that joins nothing.
    """
    if name.isidentifier() and len(name) <= MAX_NAME:
        return
    span = where.span if where is not None else None
    if not name:
        raise error("a name is missing before the colon", span)
    if len(name) > MAX_NAME:
        raise error(f"a name of {len(name):,} characters is more than the {MAX_NAME} allowed", span)
    if not name.isprintable() or any(c.isspace() for c in name):
        raise error(f"'{shorten(name)}' cannot name a step: names have no spaces", span)
    if not all(name.split(".")):
        raise error(
            f"'{shorten(name)}' cannot name a step: a dot separates a scope from a step in it",
            span,
            help="as in layer1.conv1",
        )


def _static_names(step: Step | None) -> Iterator[tuple[str | None, Located]]:
    """The names that a step puts into the scope that it runs in; ``None`` for one that is not certain."""
    if isinstance(step, Named):
        yield step.name.certain, step.name
    elif isinstance(step, Steps):
        for inner in step.steps:
            yield from _static_names(inner)
    elif isinstance(step, Merge):
        for branch in step.branches:
            yield from _static_names(branch)
    elif isinstance(step, Each):
        yield from _static_names(step.do)
    elif isinstance(step, Experts):
        yield EXPERTS, step.where
        if isinstance(step.gate, Named):
            yield from _static_names(step.gate)
        else:
            yield "gate", step.where
