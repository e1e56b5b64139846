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
            methods = {"__init__": _init} if init else {}
            methods |= {"__repr__": _repr} if repr else {}
            methods |= {"__eq__": _eq, "__hash__": _hash if frozen else None} if eq else {}
            methods |= {"__setattr__": _set, "__delattr__": _delete} if frozen else {}
            for name, method in methods.items():
                if name not in vars(cls) or (name == "__hash__" and vars(cls)[name] is None):
                    setattr(cls, name, method)
            return cls

        return made

    def _init(self, *args, **named):
        parameters = self._parameters
        if len(args) > len(parameters):
            raise TypeError(f"{type(self).__name__} takes {len(parameters)} arguments, not {len(args)}")
        place = object.__setattr__
        for (name, _, _), value in zip(parameters, args, strict=False):
            place(self, name, value)
        for name, default, factory in parameters[len(args) :]:
            if name in named:
                place(self, name, named.pop(name))
            elif default is not MISSING:
                place(self, name, default)
            elif factory is not MISSING:
                place(self, name, factory())
            else:
                raise TypeError(f"{type(self).__name__} is missing {name}")
        if named:
            raise TypeError(f"{type(self).__name__} takes no {', '.join(named)}, or has it already")
        if hasattr(self, "__post_init__"):
            self.__post_init__()

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
