"""What can be found out about a network: one pure function of a :class:`Network` per file."""
