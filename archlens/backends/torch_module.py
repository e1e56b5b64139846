"""A network as a real ``torch.nn.Module`` whose state dict has the spec's names for keys."""

from __future__ import annotations

import builtins
import copy
import operator
from collections.abc import Mapping
from importlib import import_module
from keyword import iskeyword
from typing import Any, NamedTuple

import torch
from torch import fx, nn
from torch.fx.graph import CodeGen, _format_target

from ..analysis.repeating import with_repeats
from ..analysis.second_names import second_names
from ..errors import shorten, usage
from ..network import Layer, Network, scopes_around
from ..ops import Call
from ..ops.linear import Linear
from ..shape import Ids, Shape
from . import modules


def sample(
    shape: Shape, batch: int = 1, *, device: Any = None, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """What a network with such an input can be run on: random numbers, and random ids where it takes ids."""
    if isinstance(shape, Ids):
        return torch.randint(shape.below, (batch, *shape), device=device)
    return torch.rand(batch, *shape, device=device, dtype=dtype)


class Routed(NamedTuple):
    """The modules of a layer that each expert has."""

    #: The scope of the experts, and the path of the module within each.
    scope: str
    path: str
    experts: int
    #: The tensors in which the weights of all lie, and the biases; none where each has its own.
    stacked: tuple[str, ...]
    #: Whether their matrices have a row for each input.
    turned: bool
    #: The layer that chooses experts for each token.
    chosen: str


class Step(NamedTuple):
    """One layer, as far as running it goes."""

    name: str
    call: Call
    inputs: tuple[str, ...]
    training: bool
    #: The layer whose module or parameter it uses: itself, unless that is called again.
    module: str
    #: Of a layer that each expert has with weights of its own: where they lie, and the tensor that says which
    #: tokens go where.
    experts: Routed | None = None


class Plan(NamedTuple):
    """A network without its spec: plain values, so that a built module can be pickled."""

    name: str
    inputs: tuple[str, ...]
    steps: tuple[Step, ...]
    outputs: Mapping[str, str]


def build(network: Network, *, device: Any = None, dtype: torch.dtype | None = None) -> Built:
    """A torch module of a network, with weights initialised as torch does by default.

    Its submodules are the spec's scopes, so the keys of its state dict are the spec's names. It takes
    the network's inputs in order, each with a batch axis before. One output comes out as a tensor,
    several as a dict by name, the main one called ``out``; heads for training come out, and are run,
    in training mode only.

    Args:
        network: what is built.
        device: where the weights are made; ``"meta"`` makes none.
        dtype: another type than torch's default.
    """
    network.require_calls("built")
    network = with_repeats(network)
    plan = Plan(
        network.name,
        tuple(network.inputs),
        tuple(
            Step(la.name, la.facts.torch, la.inputs, la.training, network.module_of(la), _routed(la, network))
            for la in network.layers
        ),
        dict(network.outputs),
    )
    root = Scope()
    with torch.device(device if device is not None else torch.get_default_device()):
        for step, layer in zip(plan.steps, network.layers, strict=True):
            make = find(step.call)
            if step.module != step.name:
                continue
            if step.experts is not None:
                _place_experts(root, step, layer)
            elif is_module(make):
                made: nn.Module = make(*step.call.args, **step.call.kwargs)
                if layer.again and layer.keys:
                    owner = at(root, layer.again)
                    made = Borrowing(made, {name: (owner, name) for name in layer.keys})
                elif borrowed := network.borrowed(layer):
                    made = Borrowing(made, {name: _held(root, key) for name, key in borrowed.items()})
                _place(root, step.name, made)
            elif step.call.parameter is not None:
                _place(root, step.name, _parameter(step.call.parameter, trains="" in layer.facts.weights))
    owned = network.state() if network.aliases else {}
    placed = set()  # a module has its second name as a whole, so that it stays one
    for second, first in second_names(network).items():
        if first not in owned and not _is_there(root, second):
            _place(root, second, at(root, first))
            placed.add(second)
    for alias, key in network.aliases.items():
        if key in owned and placed.isdisjoint(scopes_around(alias)):
            _tie(root, alias, key)
    if dtype is not None:
        root.to(dtype)
    return Built(plan, root)


def _routed(layer: Layer, network: Network) -> Routed | None:
    """Where the experts have the modules of a layer; ``None`` where it is no such layer."""
    if layer.copies is None or not (layer.facts.weights or layer.keys):
        return None
    owner = network.index[layer.again] if layer.again else layer
    assert owner.copies is not None
    scope, path = owner.copies.scope, owner.copies.inside(owner.name)[1:]
    stacked = tuple([owner.key(name) for name in owner.facts.weights]) if owner.copies.stacked else ()
    turned = isinstance(owner.op, Linear) and owner.op.turned
    return Routed(scope, path, layer.copies.experts, stacked, turned, layer.copies.chosen)


def _place_experts(root: nn.Module, step: Step, layer: Layer) -> None:
    """Make the modules that the experts have of a layer, or the tensors in which all their weights lie."""
    assert step.experts is not None
    scope, path, count, stacked, *_ = step.experts
    make = find(step.call)
    if not is_module(make):
        raise usage(f"{shorten(step.name)} has weights without a module, but experts have modules")
    if not stacked:
        for number in range(count):
            made = make(*step.call.args, **step.call.kwargs)
            _place(root, ".".join(filter(None, (scope, str(number), path))), made)
        return
    for weight, shape in layer.facts.weights.items():
        tensor = torch.empty(shape)
        bound = 1 / layer.input_shapes[0].channels ** 0.5
        _place(root, layer.key(weight), nn.Parameter(nn.init.uniform_(tensor, -bound, bound)))


def _each_expert(
    x: torch.Tensor, chosen: torch.Tensor, scope: nn.Module, path: str, count: int
) -> torch.Tensor:
    experts = [at(scope, f"{number}.{path}" if path else str(number)) for number in range(count)]
    return modules.each_expert(x, chosen, experts)


def _each_stacked(
    x: torch.Tensor,
    chosen: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    turned: bool = False,
) -> torch.Tensor:
    made = (modules.each_turned if turned else modules.each_stacked)(x, chosen, weight)
    return made if bias is None else modules.each_bias(made, chosen, bias)


class Borrowing(nn.Module):
    """A module that works with tensors of another, and has the rest of its own.

    A convolution that pads by the size of its input is another module on each level of a pyramid; a function
    that is given the weight of a module has none.
    """

    def __init__(self, made: nn.Module, lent: Mapping[str, tuple[nn.Module, str]]) -> None:
        super().__init__()
        for name in lent:
            made.__delattr__(name)
        self._parameters = made._parameters
        # neither is a part of this module, so that their tensors have one key
        object.__setattr__(self, "_pair", (made, dict(lent)))

    def forward(self, *inputs: torch.Tensor) -> Any:
        """What the module gives with the tensors of the other."""
        made, lent = vars(self)["_pair"]
        for name, (owner, own) in lent.items():
            vars(made)[name] = getattr(owner, own)
        return made.forward(*inputs)


def _held(root: nn.Module, key: str) -> tuple[nn.Module, str]:
    """The module that has a tensor, and its name there."""
    path, _, name = key.rpartition(".")
    return (at(root, path) if path else root), name


def find(call: Call) -> Any:
    """The class or function that a call names."""
    library, _, name = call.target.rpartition(".")
    if library == "archlens":
        return getattr(modules, name)
    homes: dict[str, Any] = {"nn": nn, "torch": torch, "operator": operator}
    # anything else is of the package that brings the op
    return getattr(homes[library] if library in homes else import_module(library), name)


def is_module(target: Any) -> bool:
    """Whether a target is a module class, which is constructed first and then applied."""
    return isinstance(target, type) and issubclass(target, nn.Module)


class Scope(nn.Module):
    """A scope of a spec: what holds its layers. One of them may be called ``training``."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "training":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)


def _parameter(call: Call, *, trains: bool) -> torch.Tensor:
    """The parameter or the buffer that a function takes, as it is initialised."""
    made: torch.Tensor = find(call)(*call.args, **call.kwargs)
    return nn.Parameter(made) if trains else made


def _place(root: nn.Module, name: str, made: nn.Module | torch.Tensor) -> None:
    """Put a module or a tensor at a path; not by ``add_module``, which refuses names such as ``train``."""
    *scopes, last = name.split(".")
    for scope in scopes:
        found = root._modules.get(scope)
        if found is None:
            found = root._modules[scope] = Scope()
        root = found
    if isinstance(made, nn.Parameter):
        root._parameters[last] = made
    elif isinstance(made, torch.Tensor):
        root._buffers[last] = made
    else:
        root._modules[last] = made


def _tie(root: nn.Module, alias: str, key: str) -> None:
    """Give a tensor a second key."""
    owner, _, name = key.rpartition(".")
    held = at(root, owner) if owner else root
    parameter = held._parameters.get(name)
    if parameter is not None:
        _place(root, alias, parameter)
        return
    *scopes, last = alias.split(".")
    for scope in scopes:
        root = root._modules.setdefault(scope, Scope())  # type: ignore[assignment]
    root._buffers[last] = held._buffers[name]


def _is_there(root: nn.Module, path: str) -> bool:
    """Whether a module lies at a path."""
    found: nn.Module | None = root
    for scope in path.split("."):
        found = found._modules.get(scope) if found is not None else None
    return found is not None


def at(root: nn.Module, path: str) -> Any:
    """What lies at a path, a module or a tensor; not by attributes, of which ``train`` is another."""
    *scopes, last = path.split(".")
    found: Any = root
    for scope in scopes:
        found = found._modules[scope]
    held = (found._modules, found._parameters, found._buffers)
    return next(one[last] for one in held if last in one)


class Built(Scope, fx.GraphModule):
    """The module of a network: its outermost scope, and a graph of its layers over the tree of scopes.

    In training mode the graph has the heads for training, else it has not: they are not run and
    thrown away, and an exported or compiled module is without them.
    """

    plan: Plan

    def __init__(self, plan: Plan, root: nn.Module) -> None:
        super().__init__(nn.Module(), fx.Graph(), plan.name if plan.name.isidentifier() else "Network")
        self._modules.update(root._modules)
        self._parameters.update(root._parameters)
        self._buffers.update(root._buffers)
        object.__setattr__(self, "plan", plan)  # a layer may have the name `plan`, or `graph`
        self._draw(training=True)

    def recompile(self) -> Any:
        """Make the code of the graph; but not of the empty one that torch begins with."""
        return super().recompile() if "plan" in vars(self) else None

    def train(self, mode: bool = True) -> Built:
        """Set training or evaluation mode, as for any module."""
        changed = mode != self.training
        super().train(mode)
        if changed and any(step.training for step in self.plan.steps):
            self._draw(training=mode)
        return self

    def _draw(self, *, training: bool) -> None:
        """Set the graph of the layers that run in a mode; ``node.meta["layer"]`` names the layer."""
        graph = fx.Graph()
        graph.set_codegen(_SafeNames())
        words = [_word(name) for name in self.plan.inputs]
        nodes = {
            name: graph.create_node("placeholder", word, name=_variable(word, words))
            for name, word in zip(self.plan.inputs, words, strict=True)
        }
        for step in self.plan.steps:
            if training or not step.training:
                chosen = (step.experts.chosen,) if step.experts is not None else ()
                node = _node(graph, step, [nodes[name] for name in (*step.inputs, *chosen)])
                node.meta["layer"] = step.name
                nodes[step.name] = node
        found = {name: nodes[source] for name, source in self.plan.outputs.items() if source in nodes}
        graph.output(next(iter(found.values())) if len(found) == 1 else found)
        self.let_go()
        vars(fx.GraphModule)["graph"].__set__(self, graph)

    def let_go(self) -> None:
        """Leave the circle of references with its graph: its tensors go when it does, without a collector.

        What passes over graphs finds no module in it then.
        """
        vars(self)["_graph"].owning_module = None

    def complete(self) -> Built:
        """This module, or one with its weights that has all heads in evaluation mode, too."""
        if not any(step.training for step in self.plan.steps):
            return self
        made = copy.copy(self)
        made._draw(training=True)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.plan, self._tree(), self.training)

    def __deepcopy__(self, memo: dict[int, Any]) -> Built:
        return _restored(self.plan, copy.deepcopy(self._tree(), memo), self.training)

    def __copy__(self) -> Built:
        return _restored(self.plan, self._tree(), self.training)

    def _tree(self) -> tuple[dict[str, Any], ...]:
        """Its modules, its own parameters and its own buffers."""
        return dict(self._modules), dict(self._parameters), dict(self._buffers)


def _restored(plan: Plan, tree: tuple[dict[str, Any], ...], training: bool) -> Built:
    root = Scope()
    modules, parameters, buffers = tree
    root._modules.update(modules)
    root._parameters.update(parameters)
    root._buffers.update(buffers)
    made = Built(plan, root)
    if not training:
        made.eval()
    return made


def _node(graph: fx.Graph, step: Step, inputs: list[fx.Node]) -> fx.Node:
    """The node of one layer; a sum of more than two is a chain of them."""
    target = find(step.call)
    args, kwargs = step.call.args, dict(step.call.kwargs)
    if step.experts is not None:
        scope, path, count, stacked, *_ = step.experts
        held = [
            graph.create_node("get_attr", path_of, (), {}, _word(f"{step.name}_experts"))
            for path_of in stacked or (scope,)
        ]
        if stacked:
            kwargs = {"turned": step.experts.turned}
            return graph.create_node(
                "call_function", _each_stacked, (*inputs, *held), kwargs, _word(step.name)
            )
        given: Any = (*inputs, *held, path, count)
        return graph.create_node("call_function", _each_expert, given, {}, _word(step.name))
    if is_module(target):
        return graph.create_node("call_module", step.module, tuple(inputs), {}, _word(step.name))
    if step.call.target == "torch.cat":
        return graph.create_node("call_function", target, (inputs, *args), kwargs, _word(step.name))
    if step.call.parameter is not None:
        path = step.module
        inputs = [*inputs, graph.create_node("get_attr", path, (), {}, _word(f"{step.name}_parameter"))]
    if step.call.target.startswith("operator."):
        while len(inputs) > 2:
            inputs = [graph.call_function(target, tuple(inputs[:2])), *inputs[2:]]
    return graph.create_node("call_function", target, (*inputs, *args), kwargs, _word(step.name))


def _word(name: str) -> str:
    """A name as Python takes it for a variable."""
    word = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)
    return f"_{word}" if not word or word[0].isdigit() or iskeyword(word) or word in _GLOBALS else word


def _variable(argument: str, arguments: list[str]) -> str:
    """What an argument is called within.

    Where Python has a function of that name torch takes another, as ``input_1``. That may be another
    argument's, whose value would be lost.
    """
    found = argument
    while found in vars(builtins) or (found != argument and found in arguments):
        found += "_"
    return found


class _SafeNames(CodeGen):
    """Code that reaches submodules whose names are no attributes: keywords, quotes, ``train``.

    A spec may name a layer anything, and the code of a graph is executed by Python: torch would paste
    the name between quotes. Here such a name is looked up as the text that it is.
    """

    def _gen_python_code(self, nodes: Any, root_module: str, namespace: Any, **options: Any) -> Any:
        code = super()._gen_python_code(nodes, root_module, namespace, **options)
        for node in nodes:
            parts = node.target.split(".") if node.op in ("call_module", "get_attr") else []
            if all(map(_plain, parts)):
                continue
            path = "".join(f"._modules[{part!r}]" for part in parts[:-1])
            plain = _format_target(root_module, node.target)
            if node.op == "call_module":
                path += f"._modules[{parts[-1]!r}]"
                code.src = code.src.replace(f"{plain}(", f"{root_module}{path}(")
            else:
                held = f"{root_module}{path}"
                kinds = " | ".join(f"{held}.{kind}" for kind in ("_modules", "_parameters", "_buffers"))
                found = f"({kinds})[{parts[-1]!r}]"
                code.src = code.src.replace(f" = {plain}\n", f" = {found}\n")
        return code


#: What the code of a graph calls by these names.
_GLOBALS = frozenset({"self", "torch", "operator", "device", "inf", "nan", "NoneType", "fx_pytree", "pytree"})

_TAKEN = frozenset({*dir(nn.Module()), *dir(fx.GraphModule), "plan", "graph", "meta", "shape_env"})


def _plain(part: str) -> bool:
    """Whether a part of a name can be reached as an attribute, or as torch quotes it."""
    # Python reads a name of other letters in a form of its own
    return (
        part.isascii()
        and not iskeyword(part)
        and part not in _TAKEN
        and not set(part) & {'"', "\\", "{", "}"}
    )
