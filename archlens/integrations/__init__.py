"""Networks within somebody else's pages and tests: Sphinx, MkDocs, Markdown, notebooks and pytest."""
