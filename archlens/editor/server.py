"""``archlens lsp``: specs in an editor that speaks the Language Server Protocol, by pygls.

What is wrong with a text is said twice: as soon as it is known after each key, and once nobody has typed for
a moment with what would work, which takes longer, and with what the rules find.
"""

from __future__ import annotations

import asyncio
import gc
import os.path
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lsprotocol import types
from pygls import uris
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from ..bounds import together
from ..errors import ArchlensError, Diagnostic, Span, SpecError
from ..garbage import uncollected
from ..language import Spec
from ..language.tidying import tidied
from ..library.finding import directory
from . import naming, wording
from .looking import Looked, columns, findings, laid_out, line_of, opened, place, units, variants

#: After which time what is said at once looks at no further network of the file.
_QUICK = 0.3

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "advice": types.DiagnosticSeverity.Information,
}
_KINDS = {
    "key": types.CompletionItemKind.Property,
    "op": types.CompletionItemKind.Function,
    "argument": types.CompletionItemKind.Field,
    "block": types.CompletionItemKind.Class,
    "param": types.CompletionItemKind.Variable,
    "step": types.CompletionItemKind.Reference,
    "construct": types.CompletionItemKind.Keyword,
}

#: What only a spec has: a YAML file without such a line is somebody else's.
_OWN = re.compile(r"^(layers|input)[ \t]*:", re.MULTILINE)


@dataclass
class Open:
    """A file that is open: its text, and what came of it."""

    uri: str
    text: str
    version: int
    language: str
    #: The file as it was when it was last a spec, and its networks by variant.
    spec: Spec | None = None
    found: dict[str, Looked] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """What messages call it."""
        return uris.to_fs_path(self.uri) or self.uri

    @property
    def is_spec(self) -> bool:
        """Whether it is for archlens to look at."""
        return self.language == "archlens" or _OWN.search(self.text) is not None

    @property
    def looked(self) -> Looked | None:
        """The network that is shown: the first that is complete, else what there is of the first."""
        found = [one for one in self.found.values() if one.network is not None]
        return next((one for one in found if one.complete), found[0] if found else None)

    def read(self) -> Looked:
        """The spec in its text."""
        stem = os.path.splitext(os.path.basename(self.path))[0]
        return opened(self.text, name=stem, path=self.path, file=uris.to_fs_path(self.uri))


# --- what is wrong ------------------------------------------------------------------------------------


def problems(file: Open, *, whole: bool) -> Iterator[list[types.Diagnostic]]:
    """What is wrong with a file, anew after each of its networks.

    Args:
        file: the file, in which what is found is noted.
        whole: also what would work, what it claims, and what the rules find.
    """
    read = file.read()
    if read.spec is None:
        yield _told(file, {_key(read.problem): ([], read.problem)} if read.problem else {}, 0)
        return
    file.spec = read.spec
    found: dict[str, Looked] = {}
    told: dict[Any, tuple[list[str], Diagnostic]] = {}
    asked = variants(read.spec)
    start = time.monotonic()
    with together():
        for variant in asked:
            one = found[variant] = laid_out(read.spec, variant, advice=whole)
            said = [one.problem] if one.problem is not None else []
            for diagnostic in [*said, *(findings(one) if whole else ())]:
                told.setdefault(_key(diagnostic), ([], diagnostic))[0].append(variant)
            if not whole and time.monotonic() - start > _QUICK:
                break  # the others are looked at in the pause
            if whole:
                file.found = {**file.found, **found}
                yield _told(file, told, len(asked))
    file.found = found
    yield _told(file, told, len(found))


def _key(diagnostic: Diagnostic | None) -> Any:
    """What makes two diagnostics the same."""
    assert diagnostic is not None
    span = diagnostic.span
    return diagnostic.code or diagnostic.message, span and (span.source.name, *span[1:])


def _told(file: Open, told: dict[Any, tuple[list[str], Diagnostic]], count: int) -> list[types.Diagnostic]:
    return [_diagnostic(file, one, where if len(where) < count else []) for where, one in told.values()]


def _diagnostic(file: Open, one: Diagnostic, only: list[str]) -> types.Diagnostic:
    """A diagnostic at its place; one without a place in this file stands at its start."""
    span = place(one, file.path)
    lines = [one.message, *one.notes]
    lines += [f"help: {one.help}"] if one.help else []
    lines += [f"in {', '.join(only[:8])}{' and others' if len(only) > 8 else ''}"] if only else []
    others = [("here", one.span), *one.also] if span is not one.span else one.also
    related = [
        types.DiagnosticRelatedInformation(types.Location(uri, _range(other)), label)
        for label, other in others
        if other is not None and other is not span and (uri := _uri(other, file))
    ]
    return types.Diagnostic(
        range=_range(span) if span is not None else _of(0, 0, 0),
        message="\n".join(lines),
        severity=_SEVERITIES[one.severity],
        code=one.code or None,
        source="archlens",
        related_information=related,
    )


def _uri(span: Span, file: Open) -> str:
    """The file of a place: the one that is open, or one on disk; of the zoo, as it is installed."""
    name = span.source.name
    if name == file.path:
        return file.uri
    if name.startswith("specs/"):
        name = str(directory() / name.removeprefix("specs/"))
    return uris.from_fs_path(os.path.abspath(name)) or "" if os.path.exists(name) else ""


def _range(span: Span) -> types.Range:
    return _of(span.line - 1, *columns(span))


def _of(line: int, start: int, stop: int) -> types.Range:
    return types.Range(types.Position(line, start), types.Position(line, stop))


# --- the server ---------------------------------------------------------------------------------------


class Server(LanguageServer):
    """The server, with the files that are open."""

    def __init__(self, version: str, pause: float) -> None:
        super().__init__("archlens", version, max_workers=1)
        self.pause = pause
        self.files: dict[str, Open] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}

    def take(self, uri: str, language: str = "") -> None:
        """A text as it is now: what is wrong is said at once, and all of it after a pause."""
        document = self.workspace.get_text_document(uri)
        old = self.files.get(uri)
        language = language or document.language_id or ""
        file = Open(uri, document.source.replace("\r\n", "\n"), document.version or 0, language)
        if old is not None:
            file.spec, file.found = old.spec, old.found
        self.files[uri] = file
        self.drop(uri)
        if not file.is_spec:
            self.publish(file, [])
            return
        with uncollected():  # looking for it can take longer than the answer itself
            for found in problems(file, whole=False):
                self.publish(file, found)
        self.waiting[uri] = asyncio.ensure_future(self.finish(file))

    def drop(self, uri: str) -> None:
        """End what is still to be said of a text that is no longer there."""
        task = self.waiting.pop(uri, None)
        if task is not None:
            task.cancel()

    async def finish(self, file: Open) -> None:
        """Say all, if nobody types meanwhile."""
        await asyncio.sleep(self.pause)
        said: list[types.Diagnostic] = []
        for found in problems(file, whole=True):
            said = found
            await asyncio.sleep(0)  # a key that was pressed meanwhile comes first
        self.publish(file, said)
        self.waiting.pop(file.uri, None)
        capabilities = self.client_capabilities.workspace
        if capabilities and capabilities.inlay_hint and capabilities.inlay_hint.refresh_support:
            self.workspace_inlay_hint_refresh(None, lambda _: None)

    def publish(self, file: Open, found: Iterable[types.Diagnostic]) -> None:
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=file.uri, diagnostics=list(found), version=file.version)
        )

    def file(self, uri: str) -> Open:
        if uri not in self.files:
            self.take(uri)
        return self.files[uri]

    def at(self, uri: str, position: types.Position) -> tuple[Open, str, int]:
        """A file, the line of a place in it, and its column from 1 in characters."""
        file = self.file(uri)
        lines = file.text.split("\n")
        line = lines[position.line] if position.line < len(lines) else ""
        column = next((n for n in range(len(line) + 1) if units(line[:n]) >= position.character), len(line))
        return file, line, column + 1

    def use(self, uri: str, position: types.Position) -> tuple[Open, naming.Use | None]:
        """What has its name at a place."""
        file, line, column = self.at(uri, position)
        if file.spec is None or line_of(file.spec.source, position.line) != line:
            return file, None  # it is no spec just now, and lines have moved
        return file, naming.at(naming.uses(file.spec), position.line + 1, column)


def made(version: str, pause: float) -> Server:
    """The server with all that it answers.

    Args:
        version: that of archlens.
        pause: how long nobody must have typed before all is said, in seconds.
    """
    server = Server(version, pause)
    feature = server.feature

    @feature(types.TEXT_DOCUMENT_DID_OPEN)
    def _(params: types.DidOpenTextDocumentParams) -> None:
        server.take(params.text_document.uri, params.text_document.language_id)

    @feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def _(params: types.DidChangeTextDocumentParams) -> None:
        server.take(params.text_document.uri)

    @feature(types.TEXT_DOCUMENT_DID_SAVE)
    def _(params: types.DidSaveTextDocumentParams) -> None:
        for uri in list(server.files):  # what others use may have changed
            server.take(uri)

    @feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def _(params: types.DidCloseTextDocumentParams) -> None:
        server.drop(params.text_document.uri)
        file = server.files.pop(params.text_document.uri, None)
        if file is not None:
            server.publish(file, [])

    @feature(types.TEXT_DOCUMENT_HOVER)
    def _(params: types.HoverParams) -> types.Hover | None:
        file, _, column = server.at(params.text_document.uri, params.position)
        network = file.looked.network if file.looked else None
        said = wording.described(params.position.line + 1, column, file.spec, network, file.text.split("\n"))
        return types.Hover(_markdown(said)) if said else None

    @feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=["(", ",", " "]))
    def _(params: types.CompletionParams) -> types.CompletionList:
        file, line, column = server.at(params.text_document.uri, params.position)
        network = file.looked.network if file.looked else None
        before = line[: column - 1]
        start, words = wording.completed(before, file.spec, network)
        range_ = _of(params.position.line, units(before[:start]), params.position.character)
        return types.CompletionList(
            is_incomplete=False,
            items=[
                types.CompletionItem(
                    label=one.label,
                    kind=_KINDS[one.kind],
                    detail=one.detail or None,
                    documentation=one.says or None,
                    sort_text=f"{number:05}",
                    text_edit=types.TextEdit(range_, one.text),
                )
                for number, one in enumerate(words)
            ],
        )

    @feature(types.TEXT_DOCUMENT_DEFINITION)
    def _(params: types.DefinitionParams) -> types.Location | None:
        file, use = server.use(params.text_document.uri, params.position)
        if use is None or file.spec is None:
            return None
        if use.symbol.kind == "part":
            part = file.spec.parts[use.symbol.name]
            where = part.block.span if part.block is not None else Span(part.spec.source, 1, 1)
            target = _uri(where, file)
            return types.Location(target, _range(where)) if target else None
        return types.Location(file.uri, _range(use.symbol.span))

    @feature(types.TEXT_DOCUMENT_REFERENCES)
    def _(params: types.ReferenceParams) -> list[types.Location]:
        file, use = server.use(params.text_document.uri, params.position)
        if use is None or file.spec is None:
            return []
        same = [one for one in naming.uses(file.spec) if one.symbol.span[1:] == use.symbol.span[1:]]
        return [
            types.Location(file.uri, _range(span))
            for span in {one.span[1:]: one.span for one in same}.values()
        ]

    @feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    def _(params: types.PrepareRenameParams) -> types.Range | None:
        _, use = server.use(params.text_document.uri, params.position)
        return _range(use.span) if use is not None else None

    @feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    def _(params: types.RenameParams) -> types.WorkspaceEdit | None:
        file, use = server.use(params.text_document.uri, params.position)
        if use is None or file.spec is None:
            return None
        try:
            spans = naming.renamed(file.spec, use.symbol, params.new_name, file=uris.to_fs_path(file.uri))
        except SpecError as problem:
            raise _refused(problem) from None
        edits = [types.TextEdit(_range(span), params.new_name) for span in spans]
        return types.WorkspaceEdit(changes={file.uri: edits})

    @feature(types.TEXT_DOCUMENT_INLAY_HINT)
    def _(params: types.InlayHintParams) -> list[types.InlayHint]:
        file = server.file(params.text_document.uri)
        if file.looked is None or file.looked.network is None:
            return []
        lines, spec = file.text.split("\n"), file.looked.spec
        assert spec is not None
        first, last = params.range.start.line + 1, params.range.end.line + 1
        return [
            types.InlayHint(
                position=types.Position(one.line - 1, units(lines[one.line - 1].rstrip())),
                label=one.text,
                padding_left=True,
                tooltip=one.says,
            )
            for one in wording.hints(file.looked.network, file.path, first, last)
            if one.line <= len(lines) and lines[one.line - 1] == line_of(spec.source, one.line - 1)
        ]

    @feature(types.TEXT_DOCUMENT_FORMATTING)
    def _(params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        file = server.file(params.text_document.uri)
        try:
            text = tidied(file.text, path=file.path)
        except ArchlensError:
            return []  # its mistake is marked already
        end = types.Position(file.text.count("\n") + 1, 0)
        return [types.TextEdit(types.Range(types.Position(0, 0), end), text)] if text != file.text else []

    return server


def _markdown(text: str) -> types.MarkupContent:
    return types.MarkupContent(types.MarkupKind.Markdown, text)


def _refused(problem: SpecError) -> JsonRpcException:
    said = [problem.diagnostic.message, problem.diagnostic.help]
    return JsonRpcException("; ".join(filter(None, said)), types.LSPErrorCodes.RequestFailed)


def serve(version: str, pause: float) -> None:
    """Answer on standard input and output until the editor goes."""
    server = made(version, pause)
    wording.words_of_language()
    gc.collect()
    gc.freeze()  # what is loaded stays, and need not be looked at again
    server.start_io()
