"""Writes everything in this repository that archlens itself writes: ``python tests/generate.py``.

That is ``specs/index.json``, ``archlens.lock``, ``docs/ops.md``, the outputs shown in the README and in
``docs/``, and ``reports/``: the gallery, the pages of :data:`PAGES` with their pictures, and a digest of each
other page.
What torch says of the zoo, ``reports/verification.md`` and ``.json``, takes minutes and is written with
``--verification``.
``tests/test_generated.py`` compares, and says what is stale. Golden files are no part of it: they are read.
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

from click.testing import CliRunner

import archlens
from archlens.analysis import comparison
from archlens.cli import cli
from archlens.cli.commands.list import laid_out
from archlens.forms import markdown
from archlens.library import finding, index
from archlens.network import Network
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


#: What is generated beside the pages of networks, by what makes it.
PARTS: dict[str, Callable[[], Files]] = {"index": specs_index, "lock": lock, "ops": ops, "gallery": gallery}


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


def _write(files: Files) -> None:
    """Write what is not there already, and say so."""
    for path, content in files.items():
        place = ROOT / path
        if not place.is_file() or place.read_bytes() != content:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            print(path)


def _verify() -> None:
    """Write what ``archlens verify --all`` has as Markdown and, with ``--brief``, as JSON, from one run."""
    from archlens.backends.verification import verify

    found = [verify(archlens.load(name), bounded=False) for name in archlens.names()]
    (REPORTS / "verification.md").write_text(f"{markdown.write(verification_table.table(found))}\n", "utf-8")
    (REPORTS / "verification.json").write_text(f"{verification_table.to_counts(found)}\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--verification", action="store_true", help="also run every network in torch")
    if parser.parse_args().verification:
        _verify()
    written: Files = {}
    for part in PARTS.values():
        written |= part()
    _write({path: content for path, content in written.items() if not path.startswith("reports/")})
    known = {}
    with ProcessPoolExecutor() as processes:
        for name, files in zip(archlens.names(), processes.map(report, archlens.names()), strict=True):
            if name in PAGES:
                written |= files
            else:
                known[name] = digests(files)
    written[f"reports/{DIGESTS}"] = (json.dumps(known, indent=1) + "\n").encode()
    _write(written)
    for path in [*REPORTS.glob("*.md"), *REPORTS.glob("pictures/*")]:
        if str(path.relative_to(ROOT)) not in written and not path.name.startswith("verification"):
            path.unlink()
            print(path.relative_to(ROOT), "removed")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--update", "tests/test_readme.py"], cwd=ROOT, check=True
    )


if __name__ == "__main__":
    main()
