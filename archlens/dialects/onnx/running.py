"""A graph run on sizes: small whole numbers are computed, and what flows is written down as a tape.

A file that was written for so many samples runs twice, first on as many, and then on a batch of another size,
so that where the samples are is known of each tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import Any

from ...bounds import allowed, worked
from ...errors import SpecError, error, shorten
from ...lowering.batch import rebatched
from ...lowering.reader import Reader, Unread
from ...lowering.tape import BATCH, TakenApart, Tape, Value
from ...lowering.tape import Node as Step
from .proto import DEPTH, NODES, VALUES, Function, Graph, Held, Info, Misfit, Node, Reference, written
from .scopes import Scopes, cleaned, place

#: What stands for every operator that is not written down, without and with an input that flows into it.
_UNWRITTEN = [Step("", {}, (), Scopes().root, None, flows=flows) for flows in (False, True)]

#: What weights are made of once they are quantized, and sizes and indices are not.
QUANTIZED = ("int8", "uint8", "int4", "uint4", "int2", "uint2")

#: How the names of constants begin that exporters make: torch's of a node, and Paddle's.
_MADE = ("/", "helper.constant.", "p2o.pd_op.full")

#: The largest size of a tensor.
_MOST = 10**15

#: What it is worth to run a node, and to look for what leads to it, in layers laid out.
_NODE, _FOUND = 12, 2


@dataclass(eq=False, slots=True)
class Tensor:
    """A tensor of the graph while it runs."""

    sizes: tuple[int, ...]
    dtype: str
    #: What is in it, where that follows from sizes and constants.
    values: list[Any] | None = None
    #: What it is called in the file, where it lies there, also where it was only viewed since.
    key: str = ""
    #: What it is on the tape, where anything of it was written down.
    value: Value | None = None
    #: A product with a constant matrix that a constant may be added to, before it is written down.
    waiting: Callable[[Tensor | None], Tensor] | None = None
    #: What it holds up to the diagonal of its last two axes, and what behind it, where that is all.
    triangle: tuple[Any, Any] | None = None
    #: Whether it is what whole numbers are multiplied by to be what they stand for.
    scale: bool = False
    #: What is in it, where it is a list of tensors.
    parts: list[Tensor] | None = None

    @property
    def is_factor(self) -> bool:
        """Whether it is a single number, and no weight."""
        plain = self.key.startswith(_MADE) or (not self.sizes and "." not in self.key)
        return bool(self.values) and prod(self.sizes) == 1 and plain

    @property
    def flows(self) -> bool:
        """Whether it depends on an input of the network."""
        return self.waiting is not None or (self.value is not None and self.value.flows)


class At:
    """One node while it runs, and the tensors that it reads."""

    __slots__ = ("env", "inputs", "node", "prefix", "run")

    def __init__(
        self, run: Run, node: Node, inputs: list[Tensor | None], prefix: str, env: Mapping[str, Tensor]
    ) -> None:
        self.run = run
        self.node = node
        self.inputs = inputs
        self.prefix = prefix
        #: All tensors that are there, by their names.
        self.env = env

    def has(self, index: int) -> bool:
        """Whether an input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def given(self, index: int) -> Tensor | None:
        """An input, where it is given."""
        return self.inputs[index] if index < len(self.inputs) else None

    def x(self, index: int = 0) -> Tensor:
        """An input that has to be there."""
        found = self.given(index)
        if found is None:
            raise Misfit(f"its input {index} is missing")
        return found

    def values(self, index: int) -> list[Any] | None:
        """The values of an input that is known; ``None`` where it is not given.

        Raises:
            Misfit: it is given, and not known.
        """
        found = self.given(index)
        if found is None:
            return None
        if found.values is None:
            raise Misfit(
                f"what its input {index} ({shorten(self.node.inputs[index])}) holds depends on values, or is "
                f"more than {VALUES:,} numbers"
            )
        return found.values

    def numbers(self, name: str, index: int) -> list[int] | None:
        """Whole numbers that are an attribute in one version, and an input in the next."""
        found = self.node.integers(name) if name in self.node.attributes else self.values(index)
        if found is not None and not all(type(n) in (int, bool) for n in found):
            raise Misfit(f"its {name} are not whole numbers")
        return found

    def write(
        self,
        target: str,
        args: Mapping[str, Any],
        sizes: Sequence[int],
        macs: int | None = 0,
        dtype: str = "",
    ) -> Tensor:
        """Write an operator down; what comes out of it."""
        (made,) = self.run.write(self.node, target, args, [sizes], macs, dtype or self._dtype())
        return made

    def writes(
        self, target: str, args: Mapping[str, Any], *sizes: Sequence[int], macs: int | None = 0
    ) -> list[Tensor]:
        """Write an operator of several outputs down."""
        return self.run.write(self.node, target, args, sizes, macs, self._dtype())

    def is_read(self, index: int) -> bool:
        """Whether anything reads an output."""
        name = self.node.outputs[index] if index < len(self.node.outputs) else ""
        return bool(name and self.run.readers.get(self.prefix + name))

    def _dtype(self) -> str:
        return next((one.dtype for one in self.inputs if one is not None), "float32")

    @property
    def example(self) -> list[tuple[tuple[int, ...], list[Any] | None] | None]:
        """What its outputs were on the batch of the file; none where it runs on any."""
        return [self.run.was(self.prefix, name) for name in self.node.outputs]

    def before(self, index: int = 0) -> tuple[tuple[int, ...], list[Any] | None] | None:
        """What an input was on the batch of the file."""
        return self.run.was(self.prefix, self.node.inputs[index])

    def reshaped(self, x: Tensor, sizes: Sequence[int]) -> tuple[int, ...]:
        """The sizes that a tensor is viewed as; those that the file says hold its own samples."""
        before, now = self.before(), self.example[0]
        if before is None or now is None or before[0] == x.sizes:
            return tuple(sizes)
        place = self.node.inputs[0]
        inside = self.run.inside.get(self.prefix + place, 1)
        found, inside = rebatched(before[0], x.sizes, now[0], inside, self.run.samples, self.run.late)
        self.run.inside[self.prefix + self.node.outputs[0]] = inside
        return found


#: The operators that read lists of tensors.
_OF_LISTS = frozenset(
    {"If", "Loop", "Identity", "ConcatFromSequence"}
    | {f"Sequence{one}" for one in ("Insert", "Erase", "At", "Length")}
)

#: What may stand between a product and a bias where their numbers are whole.
_RESCALED = frozenset(["Cast", "Mul", "QuantizeLinear", "DequantizeLinear"])

#: The operators that add a bias.
_ADDED = frozenset(["Add", "QLinearAdd", "BiasGelu", "FastGelu", "SkipLayerNormalization"])

#: Domains that a file has operators of for a reason: which, and what to do.
_OPTIMIZED = {
    "com.microsoft.nchwc": ", for onnxruntime has laid the file out for one processor: take the one it was "
    "made from, or save it at ORT_ENABLE_EXTENDED"
}

#: Operators that sizes are not computed with, but weights are: scales are clipped and exponentiated.
_FUNCTIONS = frozenset(["Clip", "Exp", "Log", "Reciprocal", "Sqrt"])

#: Operators whose outputs have as many positions as values say.
_BY_VALUES = frozenset(["NonMaxSuppression", "NonZero", "Unique", "Compress"])

#: Operators that multiply, or may.
_MULTIPLY = frozenset(
    """
    Conv ConvTranspose ConvInteger DeformConv QLinearConv Gemm MatMul MatMulInteger QLinearMatMul Einsum
    LSTM GRU RNN Attention If Loop Scan SequenceMap
    """.split()  # noqa: SIM905
)

#: What runs an operator: its outputs.
Operator = Callable[[At], "Tensor | Sequence[Tensor]"]


class Run:
    """One run of a graph.

    Args:
        graph: what runs.
        functions: what its nodes may call.
        operators: how each operator runs, by its domain and name.
        folds: how what is known of all that an operator reads is computed.
        name: what the network is called.
        file: the file, as messages call it.
        samples: of the file, where it was written for so many; 0 where for any number.
        example: what each tensor was on these, where they have run.
        alone: whether it is written down for one sample, and no batch.
    """

    def __init__(
        self,
        graph: Graph,
        functions: Mapping[tuple[str, str], Function],
        operators: Mapping[tuple[str, str], Operator],
        folds: Mapping[str, Callable[[At], Any]],
        name: str,
        file: str,
        samples: int = 0,
        example: dict[str, tuple[tuple[int, ...], list[Any] | None]] | None = None,
        alone: bool = False,
    ) -> None:
        self.graph = graph
        self.functions = functions
        self.operators = operators
        self.folds = folds
        self.file = shorten(file, 200)
        self.samples = samples
        #: What the file calls the size of the batch, where it leaves that open.
        self.symbol = ""
        #: Whether, of several axes that may hold a single sample, the last does, and not the first.
        self.late = False
        self.example = example
        self.batch = BATCH if example is not None or not samples else samples
        #: What every tensor was, by its name and where it stands.
        self.seen: dict[str, tuple[tuple[int, ...], list[Any] | None]] = {}
        #: Of tensors whose samples are not the outermost part of their axis: how many positions are outside.
        self.inside: dict[str, int] = {}
        self.scopes = Scopes()
        self.tape = Tape(name, {}, [], {}, self.scopes.root, {}, is_file=True)
        if alone:
            self.tape.batch = self.batch
        #: Whether only sizes are looked for, as on the samples of the file: nothing is written down then.
        self.dry = self.batch != self.tape.batch
        self.most = NODES * allowed()
        self.ran = self.wrote = self.calls = 0
        #: The tensors that no input flows into, and whose tensors of the file are on the tape.
        self.taken: dict[Value, None] = {}
        #: The tensors of whole numbers that are weights.
        self.whole_weights: set[str] = set()
        #: The tensors that are filled with one number, and are weights where one is read as such.
        self.filled: set[str] = set()
        #: The buffers, and the masks and tables of angles that the exporter computed.
        self.untrained: set[str] = set()
        #: The tensors of the file, by their names and where they stand.
        self.held: dict[str, Held] = {}
        #: What the tensors of the file are called in the network.
        self.keys: dict[str, str] = {}
        self.called_so: dict[str, str] = {}
        #: What gives the floating-point numbers of one of them.
        self.floats: Callable[[Held], Sequence[float] | None] = lambda _: None
        #: What reads the numbers of constants.
        self.reader = Reader(self.numbers)
        #: Where the graph stands that a branch is part of.
        self.around: dict[str, str] = {}
        #: What the file says of tensors, by their names and where they stand.
        self.said: dict[str, Info] = {}
        #: What reads a tensor, by its name and where it stands.
        self.readers: dict[str, list[Node | None]] = {}
        #: The nodes that are left out, as nobody can know the sizes of what they make, by what each is.
        self.left: dict[int, Node] = {}

    def was(self, prefix: str, name: str) -> tuple[tuple[int, ...], list[Any] | None] | None:
        """What a tensor was on the batch of the file; ``None`` where it runs on any."""
        if self.example is None:
            return None
        while prefix + name not in self.example and prefix in self.around:
            prefix = self.around[prefix]
        return self.example.get(prefix + name)

    # --- what is written down ------------------------------------------------------------------------

    def input(self, sizes: Sequence[int], dtype: str, called: str) -> Tensor:
        """An input of the network; the batch first, wherever it stands in the file."""
        value = Value(tuple(sizes), dtype, input=called)
        self.tape.inputs[called] = value
        return Tensor(value.sizes, dtype, value=value)

    def value(self, tensor: Tensor) -> Value:
        """What a tensor is on the tape."""
        if tensor.waiting is not None:
            tensor.value, tensor.waiting = tensor.waiting(None).value, None
        if tensor.value is None:
            key = "" if tensor.is_factor else self.key(tensor.key)
            floats = tensor.dtype.startswith(("float", "bfloat", "complex", "double"))
            weight = floats and tensor.key not in self.untrained
            trains = bool(key) and (weight or tensor.key in self.whole_weights)
            tensor.value = Value(tensor.sizes, tensor.dtype, key=key, trains=trains)
            tensor.value.numbers, tensor.value.triangle = tensor.values or None, tensor.triangle
        return tensor.value

    def key(self, name: str) -> str:
        """What a tensor of the file is called in the network: as in the file, where that is a name."""
        found = self.keys.get(name)
        if found is None:
            found = cleaned(name) if name else ""
            while found in self.called_so:
                found += "_"
            self.keys[name] = found
            self.called_so.update({found: name} if found else {})
        return found

    def numbers(self, value: Value) -> Sequence[float] | None:
        """The numbers of a tensor of the file, where they are known.

        Raises:
            Unread: they are there, and not read.
        """
        found = self.held.get(self.called_so.get(value.key, ""))
        numbers = self.floats(found) if found is not None else None
        count = prod(value.sizes)
        if numbers is not None and len(numbers) == count * self.samples:  # each sample's, which stand once
            own = numbers[:count]
            alike = all(numbers[i : i + count] == own for i in range(count, len(numbers), count))
            numbers = own if alike else None
        value.numbers = numbers
        return numbers

    def is_weight(self, tensor: Tensor) -> bool:
        """Whether a tensor of the file is none of the few numbers that sizes are computed of."""
        few = prod(tensor.sizes) <= 5 and not self.is_named(tensor)
        made_of = ("float", "bfloat", *QUANTIZED)
        return bool(tensor.key) and not few and tensor.dtype.startswith(made_of)

    def is_named(self, tensor: Tensor) -> bool:
        """Whether a tensor has the name of a parameter in its module, and not one that an exporter made."""
        return "." in tensor.key and not tensor.key.startswith(_MADE) and tensor.key not in self.untrained

    def is_zero(self, tensor: Tensor) -> bool:
        """Whether a tensor is one of zeros, as the states are that most recurrent layers start from."""
        held = self.held.get(tensor.key)
        known: Sequence[Any] | None = tensor.values
        if held is not None and tensor.triangle is None and not known:
            with suppress(Unread):
                known = self.floats(held)
        return not tensor.flows and (tensor.triangle == (0, 0) or not any(known or [1]))

    def write(
        self,
        node: Node,
        target: str,
        args: Mapping[str, Any],
        sizes: Iterable[Sequence[int]],
        macs: int | None,
        dtype: str,
        declared: bool = False,
    ) -> list[Tensor]:
        """Write an operator down; its outputs."""
        flows = any(one.flows for given in args.values() for one in _tensors(given))
        if self.wrote >= self.most:
            raise error(f"{self.file} has more than {self.most:,} operators, the most that run")
        self.wrote += 1
        step = _UNWRITTEN[flows] if self.dry else self.step(node, target, args, macs, flows)
        made = []
        for one in sizes:
            one = tuple(one)
            if flows and min(one, default=1) < 1:
                raise Misfit(f"nothing is left of {written(one)}")
            if flows and self.batch == BATCH and _are_pairs(one):
                raise TakenApart
            if prod(one) > _MOST:
                raise Misfit(f"{written(one)} is more than {_MOST:,} values")
            made.append(Value(one, dtype, step))
        if not self.dry:
            step.outputs = tuple(made)
            step.declared = declared
            self.tape.nodes.append(step)
        return [Tensor(value.sizes, dtype, value=value) for value in made]

    def step(self, node: Node, target: str, args: Mapping[str, Any], macs: int | None, flows: bool) -> Step:
        """An operator as it stands on the tape, without what it makes."""
        read: list[Value] = []

        def plain(given: Any) -> Any:
            if isinstance(given, Tensor):
                filled = not flows and given.key in self.filled  # which is then no weight
                read.append(Value(given.sizes, given.dtype) if filled else self.value(given))
                return read[-1]
            if isinstance(given, dict):
                return {name: plain(one) for name, one in given.items()}
            return [plain(one) for one in given] if isinstance(given, list) else given

        said = {name: plain(given) for name, given in args.items()}
        if flows:
            for value in read:
                if not value.flows:
                    self.take(value)
        call = self.scopes.at(node) if flows else self.scopes.root
        return Step(target, said, (), call, macs, tuple(read), flows)

    def take(self, value: Value) -> None:
        """Take the tensors of the file behind what no input flows into."""
        rest = [value]
        while rest:
            one = rest.pop()
            if one in self.taken or one.flows:
                continue
            self.taken[one] = None
            if one.key:
                self.tape.state.setdefault(one.key, one)
            elif one.node is not None:
                rest += one.node.inputs

    # --- what runs -----------------------------------------------------------------------------------

    def whole(self, env: dict[str, Tensor], ends: Mapping[str, str]) -> None:
        """Run the graph to its outputs.

        Args:
            env: its inputs.
            ends: what its outputs are called in the network.

        Raises:
            SpecError: a node does not fit.
        """
        self.within(self.graph, env, "", [one.name for one in self.graph.outputs])
        ended: set[Value] = set()
        left = self.left.values()
        gone = {name for node in left for name in node.outputs}
        read = [(node, name) for node in left for name in node.inputs if name and name not in gone]
        for node, name in read:
            if name not in env:
                raise error(f"{self.file}: {node}: it reads {shorten(name)}, which nothing before it makes")
        last = {name: cleaned(name) for _, name in read if env[name].flows and env[name].parts is None}
        for name, called in ({one: ends[one] for one in ends if one not in gone} | last).items():
            tensor = env.get(name)
            if tensor is None:
                raise error(f"{self.file}: nothing makes its output {shorten(name)}")
            if tensor.flows:
                value = self.value(tensor)
                if value not in ended:
                    self.tape.outputs["out" if not ended else called] = value
                    ended.add(value)

    def within(
        self, graph: Graph, env: MutableMapping[str, Tensor], prefix: str, ends: Sequence[str]
    ) -> None:
        """Run the nodes that lead to some tensors."""
        for held in graph.held.values():
            self.held[prefix + held.name] = held
            env[held.name] = Tensor(
                held.sizes, held.dtype, held.values, prefix + held.name, triangle=held.triangle
            )
            known = graph.known.get(held.name)
            if known is not None and (known.buffer or _computed(held, known.folded, self.samples)):
                self.untrained.add(prefix + held.name)
        for info in (*graph.known.values(), *graph.outputs):
            self.said.setdefault(prefix + info.name, info)
        worked(_FOUND * len(graph.nodes))
        nodes = _needed(graph, ends)
        place(nodes)
        for node in nodes:
            for name in (*node.inputs, *_captured(node)):
                self.readers.setdefault(prefix + name, []).append(node)
        for name in ends:
            self.readers.setdefault(prefix + name, []).append(None)
        for number, node in enumerate(nodes):
            if id(node) in self.left:
                continue
            self.ran += 1
            worked(_NODE)
            if self.ran > self.most:
                raise error(f"{self.file} has more than {self.most:,} nodes, the most that run")
            try:
                self.node(node, env, prefix)
            except Misfit as problem:
                if not prefix and not node.domain and node.op in _BY_VALUES:
                    self.left |= {id(one): one for one in self.behind(nodes[number:], env)}
                if id(node) not in self.left:
                    raise error(f"{self.file}: {node}: {problem}") from None
            except SpecError:
                raise
            except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as problem:
                said = shorten(str(problem).partition("\n")[0])
                raise error(
                    f"{self.file}: {node}: its inputs and attributes do not fit together",
                    notes=(said,) if said else (),
                ) from None

    def behind(self, nodes: Sequence[Node], env: Mapping[str, Tensor]) -> list[Node]:
        """The first of some nodes, and those of the others that read what follows from it.

        None, if one of them has weights or multiplies: its cost would be missing.
        """
        gone, found = {*nodes[0].outputs}, [nodes[0]]
        for node in nodes[1:]:
            if gone.intersection(node.inputs) or gone.intersection(_captured(node)):
                weights = any(self.is_weight(env[name]) for name in node.inputs if name in env)
                if weights or node.domain or node.op in _MULTIPLY:
                    return []
                gone.update(node.outputs)
                found.append(node)
        return found

    def node(self, node: Node, env: MutableMapping[str, Tensor], prefix: str) -> None:
        """Run one node."""
        inputs: list[Tensor | None] = []
        for name in node.inputs:
            if name and name not in env:
                raise Misfit(f"it reads {shorten(name)}, which nothing before it makes")
            inputs.append(env[name] if name else None)
        at = At(self, node, inputs, prefix, env)
        found = self.made(at)
        listed = [found] if isinstance(found, Tensor) else list(found)
        for name, tensor in zip(node.outputs, listed, strict=False):
            if not name:
                continue
            if name in env and tensor is not env[name]:
                raise Misfit(f"it makes {shorten(name)}, which another node makes already")
            env[name] = tensor
            if node.inputs and prefix + node.inputs[0] in self.inside:
                self.inside.setdefault(prefix + name, self.inside[prefix + node.inputs[0]])
            if tensor.parts is None:
                self.seen[prefix + name] = (tensor.sizes, tensor.values)
                self.check(tensor, prefix + name)

    def adds(self, at: At) -> bool:
        """Whether a single node reads what comes out of this one, as it is or scaled, and adds to it."""
        node: Node | None = at.node
        while node is not None:
            readers = self.readers.get(at.prefix + node.outputs[0], []) if node.outputs else []
            node = readers[0] if len(readers) == 1 else None
            if node is None or node.op not in _RESCALED:
                break
        return node is not None and node.op in _ADDED

    def made(self, at: At) -> Tensor | Sequence[Tensor]:
        """What comes out of a node."""
        node = at.node
        function = self.functions.get((node.domain, node.op))
        if function is not None:
            return self.called(at, function)
        present = [one for one in at.inputs if one is not None]
        known = all(one.values is not None and not one.flows and not self.is_weight(one) for one in present)
        known = known and not (node.op in _FUNCTIONS and any(_are_several(one) for one in present))
        if present and known and not node.domain and node.op in self.folds:
            found = self.folds[node.op](at)
            if found is not None:
                return found  # type: ignore[no-any-return]
        operator = self.operators.get((node.domain, node.op))
        if operator is None:
            return self.unknown(at)
        if node.op not in _OF_LISTS and any(one.parts is not None for one in present):
            raise Misfit("it reads a list of tensors, and takes none")
        return operator(at)

    def called(self, at: At, function: Function) -> Sequence[Tensor]:
        """What comes out of a function of the file."""
        if at.prefix.count("/") > DEPTH * 4:
            raise Misfit("functions call each other too deeply")
        self.calls += 1
        prefix = f"{at.prefix}{self.calls}/"
        given = {**function.attributes, **at.node.attributes}
        nodes = [_filled(one, given, at.node) for one in function.nodes]
        env: dict[str, Tensor] = {}
        for name, tensor, own in zip(function.inputs, at.inputs, at.node.inputs, strict=False):
            if tensor is not None:
                env[name] = tensor
                seen = self.was(at.prefix, own)
                if self.example is not None and seen is not None:
                    self.example[prefix + name] = seen
        self.within(Graph(nodes), env, prefix, function.outputs)
        missing = [name for name in function.outputs if name not in env]
        if missing:
            raise Misfit(f"the function makes no {shorten(missing[0])}")
        return [env[name] for name in function.outputs]

    def around_of(self, prefix: str) -> str:
        """Where a graph within a node stands that runs next."""
        self.calls += 1
        if self.calls > self.most:
            raise error(f"{self.file} runs graphs within it more than {self.most:,} times")
        found = f"{prefix}{self.calls}/"
        self.around[found] = prefix
        return found

    def mark(self) -> tuple[int, int, int]:
        """How much is written down by now."""
        return len(self.tape.nodes), len(self.tape.state), len(self.taken)

    def forget(self, mark: tuple[int, int, int]) -> None:
        """Take back what was written down since."""
        nodes, state, taken = mark
        del self.tape.nodes[nodes:]
        while len(self.tape.state) > state:
            self.tape.state.popitem()
        while len(self.taken) > taken:
            self.taken.popitem()

    def unknown(self, at: At, declared: Sequence[Info | None] = ()) -> Sequence[Tensor]:
        """What comes out of an operator that nothing is known of: what the file says of its shapes.

        Args:
            at: where it runs.
            declared: what is said of its outputs where it stands, if the graph says nothing.
        """
        node, env = at.node, at.env
        name = f"{node.domain}.{node.op}" if node.domain else node.op
        reads = [one for one in at.inputs if one is not None]
        reads += [env[one] for one in _captured(node) if one in env]
        infos = [self.info(at.prefix + one) for one in node.outputs]
        for i, one in enumerate(declared[: len(infos)]):
            infos[i] = infos[i] or (self.whole_of(one) if one is not None else None)
        if any(info is None for info in infos):
            raise Misfit(
                f"what comes out of {shorten(name)} is not known"
                + ("" if any(one.flows for one in reads) else ", nor that it depends on an input")
                + _OPTIMIZED.get(node.domain, "")
            )
        sizes = [self.sized(info) for info in infos if info is not None]
        dtype = infos[0].dtype if infos and infos[0] is not None else "float32"
        return self.write(node, shorten(node.op), {"inputs": reads}, sizes, None, dtype, declared=True)

    def info(self, name: str) -> Info | None:
        """What the file says of a tensor, where that is all of its sizes."""
        said = self.said.get(name)
        return self.whole_of(said) if said is not None else None

    def whole_of(self, said: Info) -> Info | None:
        """What is said of a tensor, where that is all of its sizes."""
        if said.sizes is None or any(n != self.symbol for n in said.sizes if type(n) is str):
            return None
        return said

    def sized(self, info: Info) -> tuple[int, ...]:
        """The sizes that the file says, on the batch of this run."""
        assert info.sizes is not None
        sizes = [self.batch if isinstance(n, str) else n for n in info.sizes]
        if sizes and sizes[0] == self.samples:
            sizes[0] = self.batch
        return tuple(sizes)

    def check(self, tensor: Tensor, name: str) -> None:
        """Hold that a tensor is what it was on the batch of the file, but for the samples.

        Raises:
            Misfit: it is not.
        """
        seen = self.was("", name)
        if seen is None or not tensor.flows:
            return
        apart = [i for i, (n, m) in enumerate(zip(tensor.sizes, seen[0], strict=False)) if n != m]
        same = len(tensor.sizes) == len(seen[0]) and len(apart) <= 1
        if not same or any(tensor.sizes[i] * self.samples != seen[0][i] * BATCH for i in apart):
            raise Misfit(
                f"{written(seen[0])} comes out on the {self.samples} samples that the file is for, and "
                "where they stand in that is not known; export it for a batch of any size"
            )


def _computed(held: Held, folded: str, samples: int) -> bool:
    """Whether a tensor is a mask or a table of angles that torch's exporter has worked out.

    What lies in a module has a dot in its name; a weight of the outermost one has none, and another form.
    """
    mask = set(held.sizes[:-2]) <= {1, samples} and len(held.sizes) > 1 and held.sizes[-1] == held.sizes[-2]
    return "'cos'" in folded or "'sin'" in folded or (mask and folded != "" and "." not in folded)


def _are_pairs(sizes: Sequence[int]) -> bool:
    """Whether a tensor of these sizes has a value for each two samples."""
    whole = [n for n in sizes if n and n % BATCH == 0]
    return len(whole) > 1 or any(n % BATCH**2 == 0 for n in whole)


def _are_several(tensor: Tensor) -> bool:
    """Whether it is several numbers of the file that are no whole ones."""
    return bool(tensor.key) and prod(tensor.sizes) > 1 and tensor.dtype.startswith(("float", "bfloat"))


def _tensors(given: Any) -> Iterable[Tensor]:
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, list | dict):
        for one in given.values() if isinstance(given, dict) else given:
            yield from _tensors(one)


def _needed(graph: Graph, ends: Sequence[str]) -> list[Node]:
    """The nodes that lead to some tensors, in their order."""
    needed = set(ends)
    found = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            found.append(node)
            needed.update(node.inputs)
            needed.update(_captured(node))
    return found[::-1]


def _captured(node: Node) -> list[str]:
    """What the graphs within a node read from around it."""
    found: list[str] = []
    for value in node.attributes.values():
        if isinstance(value, Graph):
            inner = {name for one in value.nodes for name in one.outputs} | set(value.held)
            inner |= {one.name for one in value.inputs}
            read = [name for one in value.nodes for name in (*one.inputs, *_captured(one))]
            read += [one.name for one in value.outputs]
            found += [name for name in dict.fromkeys(read) if name and name not in inner]
    return found


def _filled(node: Node, given: Mapping[str, Any], caller: Node) -> Node:
    """A node of a function with what the function is called with."""
    said = {
        name: given.get(value.name) if isinstance(value, Reference) else value
        for name, value in node.attributes.items()
        if not isinstance(value, Reference) or value.name in given
    }
    return Node(
        node.op,
        node.domain,
        caller.name,
        node.inputs,
        node.outputs,
        said,
        caller.scopes,
        caller.classes,
        node.place,
        node.version,
    )
