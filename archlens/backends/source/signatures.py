"""What is written down of torch, so that its calls can be printed without it: arguments and attributes.

Imports no torch. A test holds all of it against the torch that is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...ops import Call

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


class Required:
    """Stands for the default of an argument that has none."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = Required()


class Field(NamedTuple):
    """An argument of a call."""

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


def _field(name: str, positional: bool, default: Any = REQUIRED) -> Field:
    return Field(name, positional, default, "channels" if name in CHANNELS else name)


def _fields(names: str, **defaults: Any) -> dict[str, Field]:
    found = {name: _field(name, True) for name in names.split()}
    return found | {name: _field(name, False, value) for name, value in defaults.items()}


_CONV = _fields("in_channels out_channels kernel_size", stride=1, padding=0, dilation=1, groups=1, bias=True)
_TRANSPOSED = _CONV | _fields("", output_padding=0)
_BATCH_NORM = _fields("num_features", eps=1e-5, momentum=0.1, affine=True, track_running_stats=True)
_INSTANCE_NORM = _fields("num_features", eps=1e-5, momentum=0.1, affine=False, track_running_stats=False)
_MAX_POOL = _fields("kernel_size", stride=None, padding=0, dilation=1, ceil_mode=False)
_AVG_POOL = _fields("kernel_size", stride=None, padding=0, ceil_mode=False, count_include_pad=True)
_LAYER_NORM = _fields("normalized_shape", eps=1e-5, elementwise_affine=True)

#: The arguments of what an op's ``torch`` calls, with torch's defaults. A call that is not listed has its
#: arguments printed as they are; scopes where they differ in number then share no class.
SIGNATURES: Mapping[str, Mapping[str, Field]] = {
    **{f"nn.Conv{n}d": _CONV for n in (1, 2, 3)},
    **{f"archlens.PaddedConv{n}d": _CONV for n in (1, 2, 3)},
    **{f"nn.ConvTranspose{n}d": _TRANSPOSED for n in (1, 2, 3)},
    **{f"archlens.CroppedConvTranspose{n}d": _TRANSPOSED for n in (1, 2, 3)},
    **{f"nn.BatchNorm{n}d": _BATCH_NORM for n in (1, 2, 3)},
    **{f"nn.InstanceNorm{n}d": _INSTANCE_NORM for n in (1, 2, 3)},
    **{f"nn.MaxPool{n}d": _MAX_POOL for n in (1, 2, 3)},
    **{f"nn.AvgPool{n}d": _AVG_POOL for n in (1, 2, 3)},
    "archlens.PaddedMaxPool": _MAX_POOL,
    "archlens.PaddedAvgPool": _AVG_POOL,
    **{f"nn.Adaptive{kind}Pool{n}d": _fields("output_size") for kind in ("Avg", "Max") for n in (1, 2, 3)},
    **{f"nn.Dropout{n}": {"p": _field("p", True, 0.5)} for n in ("", "1d", "2d", "3d")},
    "nn.Linear": _fields("in_features out_features", bias=True),
    "nn.LayerNorm": _LAYER_NORM,
    "archlens.ChannelNorm": _LAYER_NORM,
    "nn.GroupNorm": _fields("num_groups num_channels", eps=1e-5, affine=True),
    "nn.LocalResponseNorm": _fields("size", alpha=1e-4, beta=0.75, k=1.0),
    "nn.ChannelShuffle": _fields("groups"),
    "nn.LeakyReLU": {"negative_slope": _field("negative_slope", True, 0.01)},
    "nn.ELU": {"alpha": _field("alpha", True, 1.0)},
    "nn.PReLU": {"num_parameters": _field("num_parameters", True, 1)},
    "nn.GELU": _fields("", approximate="none"),
    "nn.Unflatten": _fields("dim unflattened_size"),
    "nn.Upsample": _fields("", size=None, scale_factor=None, mode="nearest", align_corners=None),
    "archlens.Subsample": _fields("channels kernel_size"),
    "archlens.ConvMap": _fields("in_channels connections kernel_size", bias=True),
    "archlens.RBF": _fields("channels features"),
    "torch.cat": _fields("", dim=0),
    "torch.reshape": _fields("shape"),
    "torch.permute": _fields("dims"),
    "torch.transpose": _fields("dim0 dim1"),
    "torch.mul": _fields("factor"),
    "archlens.StochasticDepth": _fields("p"),
    "archlens.SelfAttention": _fields("channels heads", bias=True),
    "archlens.WindowAttention": _fields("channels heads window", shift=0),
    "archlens.WindowAttentionV2": _fields("channels heads window", shift=0),
    "archlens.RelativeAttention": _fields("channels heads size"),
    "archlens.crop": _fields("starts sizes"),
    "archlens.take": _fields("axis start stop step"),
    "archlens.max_unpool": _fields("kernel"),
    "archlens.merge_patches": _fields("size"),
    "archlens.pad_sides": _fields("sides value"),
    "archlens.window_partition": _fields("size"),
    "archlens.window_reverse": _fields("size sides"),
    # what makes a parameter
    "torch.zeros": _fields("size"),
    "torch.ones": _fields("size"),
    "torch.full": _fields("size fill_value"),
    "archlens.normal": _fields("sizes deviation"),
}

#: The module that does what another does, and pads each side by an amount of its own. Where one scope needs
#: it, those that share its class take it too: ((0, 1), (0, 1)) is one padding, and ((1, 1), (1, 1)) another.
PADS_APART: Mapping[str, str] = {
    f"{library}Conv{n}d": f"archlens.PaddedConv{n}d"
    for library in ("nn.", "archlens.Padded")
    for n in (1, 2, 3)
}


def arguments_of(call: Call) -> tuple[tuple[Field, ...], tuple[Any, ...]]:
    """All arguments of a call, those that have their default too."""
    known = SIGNATURES.get(call.target, {})
    positional = [one for one in known.values() if one.positional]
    if len(call.args) <= len(positional) and call.kwargs.keys() <= known.keys():
        given = {one.name: value for one, value in zip(positional, call.args, strict=False)}
        given |= call.kwargs
        fields = tuple(known.values())
        if given.get("axis") == 1:  # a part of the channels
            fields = tuple([f._replace(meaning="channels") if f.name in READS else f for f in fields])
        return fields, tuple([given.get(one.name, one.default) for one in known.values()])
    further = [Field(f"value{k}", True, REQUIRED, f"value{k}") for k in range(len(call.args))]
    further += [Field(name, False, REQUIRED, name) for name in call.kwargs]
    return tuple(further), (*call.args, *call.kwargs.values())


class Initial(NamedTuple):
    """What makes a parameter; its arguments stand among the fields of what takes it."""

    target: str
    #: Where its arguments start.
    start: int
    #: How its arguments stand in tuples: for each the number of its items, or -1 where it is no tuple.
    tuples: tuple[int, ...]


def initial_of(call: Call, start: int) -> tuple[Initial, tuple[Field, ...], tuple[Any, ...]]:
    """What makes a parameter, and all of its arguments, where each size in a tuple is one of its own.

    Args:
        call: a function of sizes, and of further numbers.
        start: how many arguments stand before these.
    """
    names = [one.name for one in SIGNATURES.get(call.target, {}).values()]
    fields: list[Field] = []
    values: list[Any] = []
    for k, given in enumerate(call.args):
        for value in given if isinstance(given, tuple) else (given,):
            is_size = isinstance(value, int)
            name = "size" if is_size else names[k] if k < len(names) else f"value{k}"
            fields.append(Field(name, True, REQUIRED, "channels" if is_size else name))
            values.append(value)
    fields += [Field(name, False, REQUIRED, name) for name in call.kwargs]
    tuples = tuple([len(given) if isinstance(given, tuple) else -1 for given in call.args])
    return Initial(call.target, start, tuples), tuple(fields), (*values, *call.kwargs.values())
