"""An MkDocs plugin, ``plugins: [search, archlens]``: on every page the fences of :mod:`.markdown`.

Paths start from the folder of the page, or with a slash from ``docs_dir``. A mistake is logged with the page
and its line, and shown in its place; ``mkdocs build --strict`` fails. ``mkdocs serve`` watches every spec
that a page reads, wherever it lies.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.livereload import LiveReloadServer
from mkdocs.plugins import BasePlugin, get_plugin_logger
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from ..drawing.inline import style_sheet
from ..errors import ArchlensError, to_html
from .markdown import ArchlensExtension
from .page import shown

#: Where the style sheet of dark pages is in the site.
_SHEET = "assets/archlens.css"

_log = get_plugin_logger("archlens")


class ArchlensPlugin(BasePlugin):  # type: ignore[type-arg, no-untyped-call]
    """The plugin; an extension of Markdown does the work, and is told here which page it is on."""

    def __init__(self) -> None:
        self.extension = ArchlensExtension()
        self.extension.on_file = self._watch
        self.extension.on_problem = self._problem
        self.server: LiveReloadServer | None = None
        self.read: set[str] = set()

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
        """Start anew; that this is here makes MkDocs keep the plugin, and what it watches, between builds."""
        self.server = None
        self.read.clear()
        self.extension.sheet = {}

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Add the extension, and a style sheet for the site: one within a page would be searched."""
        config.extra_css.append(_SHEET)
        config.markdown_extensions.append(self.extension)  # type: ignore[arg-type]
        return config

    def on_page_markdown(self, markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        """Tell the extension where the page lies, and how many lines its metadata takes."""
        path = Path(page.file.abs_src_path or page.file.src_path)
        self.extension.page = shown(str(path))
        self.extension.above = _above(path, markdown)
        self.extension.setConfig("folder", str(path.parent))
        self.extension.setConfig("root", config.docs_dir)
        return markdown

    def on_serve(
        self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Callable[..., Any]
    ) -> LiveReloadServer:
        """Watch what the first build has read; what later ones read is added as they do."""
        self.server = server
        for path in sorted(self.read):
            server.watch(path)
        return server

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Write the style sheet."""
        path = Path(config.site_dir, _SHEET)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(style_sheet(self.extension.sheet or {}), "utf-8")

    def _watch(self, path: str) -> None:
        path = str(Path(path).resolve())
        if path not in self.read and Path(path).is_file():
            self.read.add(path)
            if self.server is not None:
                self.server.watch(path)

    def _problem(self, problem: ArchlensError, line: int) -> str:
        _log.error("%s:%d: %s", self.extension.page, line, problem)
        return f'<div class="archlens">{to_html(problem.diagnostic)}</div>'


def _above(path: Path, markdown: str) -> int:
    """How many lines of a page's file stand above its Markdown."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError):
        return 0
    return text.count("\n") - markdown.count("\n") if text.endswith(markdown) else 0
