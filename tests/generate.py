"""Writes everything in this repository that archlens itself writes: ``python tests/generate.py``.

That is ``specs/index.json``, ``archlens.lock``, ``docs/ops.md``, the outputs shown in the README and in
``docs/``, pictures there for phones, and ``reports/``: the gallery, the pages of :data:`PAGES` with their
pictures, and a digest of each other page.
What torch says of the zoo, ``reports/verification.md`` and ``.json``, takes minutes and is written with
``--verification``.
``--check`` writes nothing and says what is stale, of all of it; ``.ci/check`` runs that, and
``tests/test_generated.py`` looks at a part. Golden files are no part of it: they are read.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from click.testing import CliRunner

import archlens
from archlens.analysis import comparison
from archlens.bounds import shown, together
from archlens.cli import cli
from archlens.cli.commands.list import laid_out
from archlens.drawing import Request, to_bytes
from archlens.forms import markdown
from archlens.library import finding, index
from archlens.network import Network
from archlens.ops.table import of_files
from archlens.reporting import File, Material, page
from archlens.reporting import gallery as gallery_of
from archlens.views import verification_table

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "reports"
COMMAND = "python tests/generate.py"

#: The networks whose pages are committed: those that the README shows, and one of each kind.
PAGES = (
    "lenet5", "alexnet_2012", "vgg16", "googlenet_aux", "resnet50", "densenet121", "mobilenet_v2",  # images
    "unet", "c3d", "m5", "vit_b_16", "swin_t",  # segmentation, video, sound, tokens, and tokens in windows
)  # fmt: skip

#: What a page leaves of the narrowest phones that are sold.
PHONE = "328px"
#: The file with the digests of all other pages and their pictures.
DIGESTS = "digests.json"

#: What is in each file, by its path from the root.
Files = dict[str, bytes]


def material_of(name: str) -> Material:
    """What the page of a network of the zoo is made from."""
    return Material(archlens.study(name), _verifications())


def of_zoo(name: str, form: str = "markdown", material: Material | None = None) -> list[File]:
    """The page of a network of the zoo, as ``archlens report --all -o reports`` makes it."""
    return page(material or material_of(name), form, made=f"archlens report {name}", gallery=True)


@cache
def _verifications() -> list[verification_table.Report]:
    paths = sorted(REPORTS.glob("verification*.json"))
    texts = ((path.read_text("utf-8"), path.with_suffix(".md").name) for path in paths)
    return [read for text, name in texts if (read := verification_table.read(text, name))]


def report(name: str, material: Material | None = None) -> Files:
    """The page of a network and its pictures."""
    return _beneath(REPORTS, of_zoo(name, material=material))


def of_family(family: str) -> dict[str, Files]:
    """The pages of a family, as one command makes them.

    Raises:
        UsageError: they are too much work together.
    """
    materials = {name: material_of(name) for name in finding.families()[family]}
    with together():
        for name, material in materials.items():
            spec, variant = finding.find(name)
            source, layers = spec.source, len(material.network)
            shown(source.name, variant, layers, material.boxes, len(source.text))
        return {name: report(name, material) for name, material in materials.items()}


@cache
def compared() -> list[tuple[Network, comparison.Compared]]:
    """All networks of the zoo, and what they are compared by."""
    networks = map(archlens.load, archlens.names())
    return [(network, comparison.find(archlens.study(network))) for network in networks]


def gallery() -> Files:
    """The page that leads to the others."""
    return _beneath(REPORTS, gallery_of(compared(), "markdown", pages=PAGES))


def specs_index() -> Files:
    """What ``archlens list`` shows without laying a network out."""
    families = {
        stem: (finding.texts_of(stem), {name: laid_out(name) for name in names})
        for stem, names in finding.families().items()
    }
    return {f"specs/{index.NAME}": index.to_text(families).encode()}


def phones() -> Files:
    """The pictures of the README and of the tutorials once more, for those who read on a phone."""
    return {
        f"docs/pictures/{name}-phone.svg": to_bytes(Request(archlens.load(name), "volumes", fit=PHONE), "svg")
        for name in ("alexnet_2012", "vgg16")
    }


def lock() -> Files:
    """The figures of today."""
    with TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "specs", Path(folder, "specs"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        with contextlib.chdir(folder):
            result = CliRunner().invoke(cli, ["check", "--update"])
        if result.exit_code:
            raise RuntimeError(result.output)
        return {"archlens.lock": Path(folder, "archlens.lock").read_bytes()}


def ops() -> Files:
    """The reference of the ops, as ``archlens ops --format markdown`` prints it."""
    return {"docs/ops.md": CliRunner().invoke(cli, ["ops", "--format", "markdown"]).stdout_bytes}


def listed_ops() -> Files:
    """Where the ops are, and which of them merge."""
    names = archlens.ops.files()
    ops = of_files(names)
    files = {kind: op.__module__.rpartition(".")[2] for kind, op in ops.items()}
    lines = [
        f'"""Where the ops are, so that none is imported before it is used; ``{COMMAND}`` writes it."""',
        "",
        "from __future__ import annotations",
        "",
        "from .table import Branches",
        "",
        "#: The file of each op.",
        "FILES: dict[str, str] = {",
        *(f'    "{kind}": "{file}",' for kind, file in files.items()),
        "}",
        "",
        "#: The ops that merge, with their branches.",
        "MERGES: dict[str, Branches] = {",
        *(
            f'    "{kind}": {_written((op.branches, op.optional_branches))},'
            for kind, op in ops.items()
            if op.merges
        ),
        "}",
        "",
        "#: The files that hold no op.",
        "WITHOUT = (",
        *(f'    "{name}",' for name in sorted({*names} - {*files.values()})),
        ")",
        "",
    ]
    return {"archlens/ops/listed.py": "\n".join(lines).encode()}


def listed_commands() -> Files:
    """What each command does, in the first sentences of its help."""
    assert isinstance(cli, click.Group)
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    said = {
        name: " ".join((one.help or "").split("\n\n")[0].split()) for name, one in commands.items() if one
    }
    lines = [
        f'"""What commands do, so that none is imported to say it; ``{COMMAND}`` writes it."""',
        "",
        "from __future__ import annotations",
        "",
        "#: The first paragraph of each command's help.",
        "SAY: dict[str, str] = {",
        *(f"    {json.dumps(name)}: {json.dumps(text, ensure_ascii=False)}," for name, text in said.items()),
        "}",
        "",
    ]
    return {"archlens/cli/summaries.py": "\n".join(lines).encode()}


def _written(value: str | tuple[Any, ...]) -> str:
    """A tuple of texts and tuples as ruff formats it."""
    if isinstance(value, str):
        return f'"{value}"'
    return f"({', '.join(map(_written, value))}{',' if len(value) == 1 else ''})"


#: What is generated beside the pages of networks, by what makes it.
PARTS: dict[str, Callable[[], Files]] = {
    "listed": listed_ops,
    "commands": listed_commands,
    "index": specs_index,
    "lock": lock,
    "ops": ops,
    "gallery": gallery,
    "phones": phones,
}


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The digest of each file of a report, by its path within ``reports/``."""
    return {
        path.removeprefix("reports/"): hashlib.sha256(content).hexdigest() for path, content in files.items()
    }


def recorded() -> dict[str, dict[str, str]]:
    """The committed digests, by network."""
    found: dict[str, dict[str, str]] = json.loads((REPORTS / DIGESTS).read_text("utf-8"))
    return found


def _beneath(folder: Path, files: Iterable[File]) -> Files:
    return {f"{folder.relative_to(ROOT)}/{path}": content for path, content in files}


def stale(files: Files) -> list[str]:
    """The paths of the files that are not as they should be."""
    places = {path: ROOT / path for path in files}
    return [
        path for path, place in places.items() if not place.is_file() or place.read_bytes() != files[path]
    ]


def _write(files: Files) -> None:
    """Write what is not there already, and say so."""
    for path in stale(files):
        place = ROOT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(files[path])
        print(path)


def _pages() -> Files:
    """The committed pages, and the digests of the others."""
    with ProcessPoolExecutor() as processes:
        made = {
            name: files
            for pages in processes.map(of_family, finding.families())
            for name, files in pages.items()
        }
    written: Files = {}
    for name in PAGES:
        written |= made[name]
    known = {name: digests(made[name]) for name in archlens.names() if name not in PAGES}
    written[f"reports/{DIGESTS}"] = (json.dumps(known, indent=1) + "\n").encode()
    return written


def _no_more(written: Files) -> list[Path]:
    """The files of ``reports/`` that nothing writes any more."""
    return [
        path
        for path in [*REPORTS.glob("*.md"), *REPORTS.glob("pictures/*")]
        if str(path.relative_to(ROOT)) not in written and not path.name.startswith("verification")
    ]


def _check() -> str:
    """What is stale; empty if nothing is."""
    written = _pages()
    before, now = recorded(), json.loads(written.pop(f"reports/{DIGESTS}"))
    for part in PARTS.values():
        written |= part()
    wrong = [*stale(written), *(str(path.relative_to(ROOT)) for path in _no_more(written))]
    wrong += [
        f"the page of {name}, which `archlens report {name} -o DIR` without and with the change shows"
        for name in before.keys() | now.keys()
        if before.get(name) != now.get(name)
    ]
    said = [f"stale: {one}" for one in sorted(wrong)]
    return "\n".join([*said, f"`{COMMAND}` writes them anew, and git diff shows how"] if said else [])


def _verify() -> None:
    """Write what ``archlens verify --all`` has as Markdown and, with ``--brief``, as JSON, from one run."""
    from archlens.backends.verification import verify

    found = [verify(archlens.load(name), bounded=False) for name in archlens.names()]
    (REPORTS / "verification.md").write_text(f"{markdown.write(verification_table.table(found))}\n", "utf-8")
    (REPORTS / "verification.json").write_text(f"{verification_table.to_counts(found)}\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--verification", action="store_true", help="also run every network in torch")
    parser.add_argument("--check", action="store_true", help="write nothing, and say what is stale")
    given = parser.parse_args()
    if given.check:
        sys.exit(_check() or 0)
    if given.verification:
        _verify()
    written: Files = {}
    for part in PARTS.values():
        written |= part()
    _write({path: content for path, content in written.items() if not path.startswith("reports/")})
    written |= _pages()
    _write(written)
    for path in _no_more(written):
        path.unlink()
        print(path.relative_to(ROOT), "removed")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--update", "tests/test_readme.py"], cwd=ROOT, check=True
    )


if __name__ == "__main__":
    main()
