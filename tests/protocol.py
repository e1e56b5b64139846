"""An editor as a language server sees it: messages over the pipes of a process, and nothing of pygls."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

#: How long an answer may take, in seconds, before the server counts as hanging.
PATIENCE = 60

BARE = """
from pygls.lsp.server import LanguageServer
from lsprotocol import types
server = LanguageServer("bare", "1")
@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def _(params):
    server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(
        uri=params.text_document.uri, version=params.text_document.version, diagnostics=[]))
server.start_io()
"""


class Editor:
    """A client of ``archlens lsp``, or of another server; end it with ``close``."""

    def __init__(self, *command: str, cwd: Path | None = None) -> None:
        command = command or (sys.executable, "-m", "archlens", "lsp")
        root = Path(__file__).parents[1]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
        )
        self.told: queue.Queue[Any] = queue.Queue()
        self.arrived: queue.Queue[Any] = queue.Queue()
        assert self.process.stderr is not None
        targets = (self._read, self.process.stderr.read)
        self.threads = [threading.Thread(target=target, daemon=True) for target in targets]
        for thread in self.threads:
            thread.start()
        self.count = 0
        self.versions: dict[str, int] = {}
        self.capabilities = self.ask(
            "initialize",
            processId=None,
            rootUri=None,
            capabilities={"general": {"positionEncodings": ["utf-16"]}},
        )["capabilities"]
        self.tell("initialized")

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            length = 0
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if not length:
                self.arrived.put(None)
                return
            message = json.loads(stream.read(length))
            (self.told if "method" in message else self.arrived).put(message)

    def send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def tell(self, method: str, **params: Any) -> None:
        self.send(method=method, params=params)

    def answer(self, method: str, **params: Any) -> dict[str, Any]:
        """The whole answer, which may be an error."""
        self.count += 1
        self.send(id=self.count, method=method, params=params)
        while True:
            found = self.arrived.get(timeout=PATIENCE)
            assert found is not None, "the server has ended"
            if found["id"] == self.count:
                return dict(found)

    def ask(self, method: str, **params: Any) -> Any:
        found = self.answer(method, **params)
        assert "error" not in found, found["error"]
        return found["result"]

    def open(self, uri: str, text: str, language: str = "archlens") -> None:
        self.versions[uri] = 1
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)

    def change(self, uri: str, *changes: dict[str, Any]) -> None:
        self.versions[uri] += 1
        document = {"uri": uri, "version": self.versions[uri]}
        self.tell("textDocument/didChange", textDocument=document, contentChanges=list(changes))

    def marks(self, uri: str, *, last: bool = False) -> list[dict[str, Any]]:
        """What is published next of the text as it is; the last of it where nothing follows for a second."""
        found: list[dict[str, Any]] | None = None
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                message = self.told.get(timeout=1.2 if found is not None else PATIENCE)
            except queue.Empty:
                break
            if message["method"] != "textDocument/publishDiagnostics":
                continue
            params = message["params"]
            if params["uri"] == uri and params.get("version") in (None, self.versions.get(uri)):
                found = params["diagnostics"]
                if not last:
                    break
        assert found is not None
        return found

    def at(self, method: str, uri: str, line: int, column: int, **params: Any) -> Any:
        """An answer about a place, both from 0."""
        where = {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}
        return self.ask(f"textDocument/{method}", **where, **params)

    def close(self) -> int:
        self.ask("shutdown")
        self.tell("exit")
        code = self.process.wait(PATIENCE)
        for thread in self.threads:
            thread.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code
