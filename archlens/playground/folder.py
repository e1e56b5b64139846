"""The folder of the playground: its page, archlens and PyYAML, and Pyodide, which runs them in a browser.

Pyodide is not part of archlens: it is taken from a folder, or from the npm package of the version below when
the playground is written. The folder asks nothing of any network after that.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from gzip import compress
from hashlib import sha512
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from ..errors import printable, shorten, usage
from ..explorer import Live, Subject, built, page
from ..library import names
from ..library.finding import directory
from ..ops import LANGUAGE

#: The version of Pyodide that is taken from npm, and what its package must be.
VERSION = "314.0.7"
INTEGRITY = (
    "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="  # sha512
)

#: The files of Pyodide that are needed; the most bytes of one.
FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
_MOST = 100_000_000

#: What an empty editor begins with.
FIRST = """\
title: A network of my own
input: 3x32x32
params: {width: 16, classes: 10}
blocks:
  unit(width):
    - conv(width, 3, padding=1, bias=false) >> batch_norm >> relu
layers:
  - stem: unit(width)
  - stage:
      - residual: unit(width) >> conv(width, 3, padding=1, bias=false) >> batch_norm
      - relu
  - each: factor
    in: [2, 4, 8]
    do: max_pool(2) >> unit(factor * width)
  - global_avg_pool
  - flatten
  - fc: linear(classes)
"""

#: What is in the folder beside what LICENSES.txt of the viewer names.
_NOTICE = f"""\
Pyodide {VERSION} or another, as runtime.js holds it

Mozilla Public License 2.0, https://www.mozilla.org/MPL/2.0/. Its source is at
https://github.com/pyodide/pyodide. It holds CPython and its standard library, under the PSF License
Agreement, https://docs.python.org/3/license.html, and is built with Emscripten, under the MIT License.
"""


def files(
    subjects: Sequence[Subject], *, command: str, pyodide: str | None = None
) -> Iterator[tuple[str, bytes]]:
    """The files of the folder by name.

    Args:
        subjects: the networks that its page shows beside.
        command: what makes it, which the page names.
        pyodide: a folder with the files of the npm package; without one npm is asked for it.

    Raises:
        UsageError: Pyodide is not there, or is not what it should be; or something cannot be drawn.
    """
    found = taken(Path(pyodide)) if pyodide is not None else packed()
    live = Live("playground.js", {"ops": [*LANGUAGE], "names": names(), "first": FIRST})
    yield "index.html", page(subjects, command=command, live=live)
    yield "runtime.js", runtime(found)
    yield "LICENSES.txt", licences().encode("utf-8")


def runtime(found: dict[str, bytes]) -> bytes:
    """What runs in the page, as a script that holds each file gzipped, in base64."""
    known = json.loads(found["pyodide-lock.json"])
    lock = json.dumps({"info": known["info"], "packages": {}}).encode("utf-8")
    held = {**found, "pyodide-lock.json": lock, "archlens.zip": archive()}
    data = {name: b64encode(compress(content, 9, mtime=0)).decode("ascii") for name, content in held.items()}
    return f"globalThis.archlensRuntime={json.dumps(data)};\n".encode("ascii")


# --- Pyodide --------------------------------------------------------------------------------------------


def taken(folder: Path) -> dict[str, bytes]:
    """The files of Pyodide in a folder.

    Raises:
        UsageError: one is not there, or too large.
    """
    found = {}
    for name in FILES:
        path = folder / name
        try:
            with path.open("rb") as file:
                found[name] = file.read(_MOST + 1)
        except OSError as problem:
            raise usage(
                f"{shorten(str(path), 200)} cannot be read: {problem.strerror or problem}",
                help=f"--pyodide is the folder of the npm package: npm install pyodide@{VERSION} makes "
                "node_modules/pyodide",
            ) from None
        if len(found[name]) > _MOST:
            raise usage(f"{shorten(str(path), 200)} is larger than a file of Pyodide is")
    try:
        json.loads(found["pyodide-lock.json"])["info"]["python"]
    except (ValueError, LookupError, TypeError):
        raise usage(f"{shorten(str(folder / 'pyodide-lock.json'), 200)} is not that of Pyodide") from None
    return found


def packed() -> dict[str, bytes]:
    """The files of Pyodide from npm, if they are what they should be.

    Raises:
        UsageError: there is no npm, or it gives no such package.
    """
    npm = shutil.which("npm")
    help = f"npm install pyodide@{VERSION} elsewhere, and --pyodide node_modules/pyodide"
    if npm is None:
        raise usage("the playground needs Pyodide, and there is no npm to get it with", help=help)
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"pyodide@{VERSION}", "--silent", "--pack-destination", folder]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        found = next(iter(Path(folder).glob("*.tgz")), None)
        if done.returncode or found is None:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            said = f": {printable(lines[-1])[:200]}" if lines else ""
            raise usage(f"npm gives no pyodide@{VERSION}{said}", help=help)
        content = found.read_bytes()
    if sha512(content).digest() != b64decode(INTEGRITY):
        raise usage(f"what npm gives as pyodide@{VERSION} is something else: its sha512 differs")
    with tarfile.open(fileobj=BytesIO(content), mode="r:gz") as archived:
        return {name: _member(archived, f"package/{name}") for name in FILES}


def _member(archived: tarfile.TarFile, name: str) -> bytes:
    file = archived.extractfile(name)
    assert file is not None, name
    return file.read()


# --- archlens -------------------------------------------------------------------------------------------

#: What of archlens a page has no use for.
_LEFT_OUT = ("explorer/web", "explorer/static", "drawing/fonts", "__pycache__")


def archive() -> bytes:
    """A zip of archlens with the zoo, and of PyYAML as pure Python: the same bytes every time."""
    import yaml

    own, other = Path(__file__).resolve().parents[1], Path(yaml.__file__).resolve().parent
    held: dict[str, bytes] = {}
    for path in sorted(own.rglob("*")):
        name = path.relative_to(own).as_posix()
        if path.is_file() and path.suffix in (".py", ".json") and not any(one in name for one in _LEFT_OUT):
            held[f"archlens/{name}"] = path.read_bytes()
    held |= {f"archlens/specs/{path.name}": path.read_bytes() for path in sorted(directory().glob("*.yaml"))}
    held |= {f"yaml/{path.name}": path.read_bytes() for path in sorted(other.glob("*.py"))}
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED, compresslevel=9) as archived:
        for name, data in held.items():
            archived.writestr(ZipInfo(name), data, ZIP_DEFLATED, 9)
    return content.getvalue()


def licences() -> str:
    """The licences of what is in the folder."""
    return "\n---\n\n".join(
        [
            built("LICENSES.txt") + "\n",
            _licence_of("archlens-nn", "MIT License"),
            _licence_of("PyYAML"),
            _NOTICE,
        ]
    )


def _licence_of(name: str, otherwise: str = "MIT License") -> str:
    """A package's name, version and licence, as far as it is installed with them."""
    try:
        known: Any = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return f"{name}\n\n{otherwise}\n"
    found = [path for path in known.files or () if path.name.upper().startswith("LICENSE")]
    text = found[0].read_text().strip() if found else otherwise
    return f"{name} {known.version}\n\n{text}\n"
