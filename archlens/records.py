"""Records: dataclasses that share their methods.

``dataclasses.dataclass`` writes and compiles the methods of each class when it is imported, for 0.2 to
0.5 ms. Those of a record are written once, here, and look its fields up: for classes that every command
imports, and of which it makes thousands at most. Else it is a dataclass, which ``dataclasses.replace`` and
``fields`` know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import MISSING, FrozenInstanceError, dataclass, fields

    def record(*, frozen=False, eq=True, init=True, repr=True, slots=False):
        """Make a class a record; the arguments are those of ``dataclasses.dataclass``."""

        def made(cls):
            cls = dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
            cls._parameters = tuple(
                [(one.name, one.default, one.default_factory) for one in fields(cls) if one.init]
            )
            cls._count = len(cls._parameters)
            init_of = _init_and_more if hasattr(cls, "__post_init__") else _init
            methods = {"__init__": init_of} if init else {}
            methods |= {"__repr__": _repr} if repr else {}
            methods |= {"__eq__": _eq, "__hash__": _hash if frozen else None} if eq else {}
            methods |= {"__setattr__": _set, "__delattr__": _delete} if frozen else {}
            for name, method in methods.items():
                if name not in vars(cls) or (name == "__hash__" and vars(cls)[name] is None):
                    setattr(cls, name, method)
            return cls

        return made

    def _init(self, *args, **named):
        if named or len(args) != self._count:
            args = _completed(self, args, named)
        place = object.__setattr__
        for (name, _, _), value in zip(self._parameters, args, strict=True):
            place(self, name, value)

    def _init_and_more(self, *args, **named):
        _init(self, *args, **named)
        self.__post_init__()

    def _completed(self, args, named):
        """The values of all parameters, of those that are given by position and by name."""
        parameters = self._parameters
        if len(args) > len(parameters):
            raise TypeError(f"{type(self).__name__} takes {len(parameters)} arguments, not {len(args)}")
        values = list(args)
        for name, default, factory in parameters[len(args) :]:
            if name in named:
                values.append(named.pop(name))
            elif default is not MISSING:
                values.append(default)
            elif factory is not MISSING:
                values.append(factory())
            else:
                raise TypeError(f"{type(self).__name__} is missing {name}")
        if named:
            raise TypeError(f"{type(self).__name__} takes no {', '.join(named)}, or has it already")
        return values

    def _repr(self):
        values = [f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr]
        return f"{type(self).__qualname__}({', '.join(values)})"

    def _values(self):
        return tuple([getattr(self, name) for name, _, _ in self._parameters])

    def _eq(self, other):
        return _values(self) == _values(other) if type(other) is type(self) else NotImplemented

    def _hash(self):
        return hash(_values(self))

    def _set(self, name, value):
        raise FrozenInstanceError(f"{type(self).__name__} does not change: {name}")

    def _delete(self, name):
        raise FrozenInstanceError(f"{type(self).__name__} does not change: {name}")
