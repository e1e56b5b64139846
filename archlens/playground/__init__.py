"""archlens itself in a page: a spec is written there, and its network follows.

A static folder that works without a server: archlens and PyYAML as a zip, Pyodide that runs them
(:mod:`.folder` writes it), and an editor. The page asks in JSON, and :mod:`.answering` answers; nothing that
is typed leaves the browser.
"""
