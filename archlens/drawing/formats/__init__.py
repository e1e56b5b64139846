"""One format per file, named as its extension: ``to_bytes(request)`` makes the content of a file."""
