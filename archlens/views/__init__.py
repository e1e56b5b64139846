"""A network as text: one output form per file, each a pure function of a :class:`Network`."""
