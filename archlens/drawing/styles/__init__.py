"""One style of picture per file: ``draw(request)`` makes a picture of a network."""
