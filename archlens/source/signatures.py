"""What is written down of torch, so that its calls can be printed without it; and what a call is given.

Imports no torch. A test holds all of it against the torch that is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..ops import REQUIRED, Call

#: What ``nn.Module`` has already, so that no submodule can be reached by such an attribute; names with two
#: underscores before them are not listed.
MODULE_ATTRIBUTES = frozenset(
    """
    T_destination _apply _backward_hooks _backward_pre_hooks _buffers _call_impl _compiled_call_impl
    _forward_hooks _forward_hooks_always_called _forward_hooks_with_kwargs _forward_pre_hooks
    _forward_pre_hooks_with_kwargs _get_backward_hooks _get_backward_pre_hooks _get_name
    _is_full_backward_hook _load_from_state_dict _load_state_dict_post_hooks _load_state_dict_pre_hooks
    _maybe_warn_non_full_backward_hook _modules _named_members _non_persistent_buffers_set _parameters
    _register_load_state_dict_pre_hook _register_state_dict_hook _replicate_for_data_parallel
    _save_to_state_dict _slow_forward _state_dict_hooks _state_dict_pre_hooks _version _wrapped_call_impl
    add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
    extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu
    load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to
    to_empty train training type xpu zero_grad
    """.split()  # noqa: SIM905
)

#: What ``nn.Sequential`` and ``nn.ModuleList`` have beside it.
LIST_ATTRIBUTES = frozenset(
    ("_get_abs_string_index", "_get_item_by_idx", "append", "extend", "insert", "pop")
)


#: What ``nn.ModuleDict`` has beside it.
DICT_ATTRIBUTES = frozenset(("clear", "items", "keys", "pop", "update", "values"))


class Field(NamedTuple):
    """An argument of a call, whatever it is given."""

    name: str
    positional: bool
    default: Any
    #: Arguments of one meaning can share a parameter where they have the same values.
    meaning: str


CHANNELS = (
    "in_channels", "out_channels", "channels", "num_features", "num_channels", "num_parameters", "groups",
    "in_features", "out_features", "features", "normalized_shape",
)  # fmt: skip

#: Arguments that repeat the channels of what comes in.
READS = ("groups", "num_features", "num_channels", "normalized_shape", "channels", "size", "start", "stop")


#: The module that does what another does, and pads each side by an amount of its own. Where one scope needs
#: it, those that share its class take it too: ((0, 1), (0, 1)) is one padding, and ((1, 1), (1, 1)) another.
PADS_APART: Mapping[str, str] = {
    f"{library}Conv{n}d": f"archlens.PaddedConv{n}d"
    for library in ("nn.", "archlens.Padded")
    for n in (1, 2, 3)
}


def arguments_of(call: Call) -> tuple[tuple[Field, ...], tuple[Any, ...]]:
    """All arguments of a call, those that have their default too."""
    arguments = call.arguments
    of_channels = "axis" in arguments and call["axis"] == 1  # a part of the channels
    fields = []
    for name, one in arguments.items():
        is_size = name in CHANNELS or (of_channels and name in READS)
        fields.append(Field(name, one.positional, one.default, "channels" if is_size else name))
    values = [one.default if one.value == one.default else one.value for one in arguments.values()]
    return tuple(fields), tuple(values)


class Initial(NamedTuple):
    """What makes a parameter, or a buffer; its arguments stand among the fields of what takes it."""

    target: str
    #: Where its arguments start.
    start: int
    #: How its arguments stand in tuples: for each the number of its items, or -1 where it is no tuple.
    tuples: tuple[int, ...]
    #: Whether it is a parameter.
    trained: bool


def initial_of(
    call: Call, start: int, *, trained: bool
) -> tuple[Initial, tuple[Field, ...], tuple[Any, ...]]:
    """What makes a parameter, and all of its arguments, where each size in a tuple is one of its own.

    Args:
        call: a function of sizes, and of further numbers.
        start: how many arguments stand before these.
        trained: whether it is a parameter; else a buffer.
    """
    given = [("size", size) for size in call.sizes] + [(n, one.value) for n, one in call.arguments.items()]
    fields: list[Field] = []
    values: list[Any] = []
    for argument, one in given:
        for value in one if isinstance(one, tuple) else (one,):
            is_size = isinstance(value, int)
            name = "size" if is_size else argument
            fields.append(Field(name, True, REQUIRED, "channels" if is_size else name))
            values.append(value)
    tuples = tuple([len(one) if isinstance(one, tuple) else -1 for _, one in given])
    return Initial(call.target, start, tuples, trained), tuple(fields), tuple(values)
