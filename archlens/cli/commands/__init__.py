"""One command per file, under the name of the file."""
