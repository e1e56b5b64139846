"""``--font``: text is measured in the font that is drawn, and the file holds it; fonts are hostile files."""

from __future__ import annotations

import base64
import random
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

import archlens
from archlens import drawing
from archlens.drawing import Request, to_bytes
from archlens.drawing.fontfile import FontFile
from archlens.drawing.metrics import FONTS, FONTS_BY_NAME, REGULAR, using, width
from archlens.drawing.picture import Text, walk
from archlens.errors import UsageError

from .running import run

SERIF = FONTS / "ArchlensSerif-Regular.ttf"


def opened(content: bytes) -> FontFile:
    return FontFile(content, "x.ttf")


def with_table(tag: str, change: dict[int, bytes]) -> bytes:
    """The serif font with other bytes in one of its tables."""
    content = bytearray(SERIF.read_bytes())
    for k in range(struct.unpack_from(">H", content, 4)[0]):
        name, _, start, _ = struct.unpack_from(">4sLLL", content, 12 + 16 * k)
        if name.decode() == tag:
            for at, value in change.items():
                content[start + at : start + at + len(value)] = value
    return bytes(content)


def test_widths_are_those_of_the_tables_of_adobe() -> None:
    """Times-Roman, Times-Bold and Courier of the Adobe Core 14 AFM files, as reportlab has them; Liberation
    Serif and Mono have their widths.
    """
    fonts = pytest.importorskip("reportlab.pdfbase._fontdata")
    names = {"space": " ", "comma": ",", "one": "1", "zero": "0", "slash": "/", "underscore": "_"}
    names |= {c: c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    for font, bold, name in (
        ("serif", False, "Times-Roman"), ("serif", True, "Times-Bold"), ("mono", False, "Courier"),
        ("sans", False, "Helvetica"), ("sans", True, "Helvetica-Bold"),
    ):  # fmt: skip
        widths = FONTS_BY_NAME[font].widths(bold)
        for glyph, c in names.items():
            assert widths[c] == pytest.approx(fonts.widthsByFontGlyph[name][glyph], abs=1), (name, c)


def test_the_reader_reads_what_the_tables_hold() -> None:
    widths = FontFile((FONTS / "ArchlensSans-Regular.ttf").read_bytes(), "sans").widths
    for known, characters in REGULAR.items():
        for c in characters:
            assert widths[c] == pytest.approx(known, abs=1), c


@pytest.mark.parametrize("style", ["graph", "stages", "volumes"])
@pytest.mark.parametrize("font", ["serif", "mono", str(SERIF)])
def test_text_fits_where_it_stands(font: str, style: str) -> None:
    picture = Request(archlens.load("resnet18"), style, font=font).picture
    with using(picture.font):
        for item in walk(picture.items):
            if isinstance(item, Text):
                wide = width(item.text, item.size, item.bold)
                left = {"start": item.x, "middle": item.x - wide / 2, "end": item.x - wide}[item.anchor]
                assert left >= 0
                assert left + wide <= picture.width + 0.1


def test_text_is_measured_in_its_font() -> None:
    """Courier has 600 thousandths for each character."""
    with using(FONTS_BY_NAME["mono"]):
        assert width("ResNet", 10) == pytest.approx(36, abs=0.02)
    assert width("ResNet", 10) == pytest.approx(33.34, abs=0.05)  # 722 + 556 + 500 + 722 + 556 + 278
    network = archlens.load("resnet18")
    first = Request(network)
    plain = drawing.to_svg(network)
    other = Request(network, font="mono", made=first.plans)
    assert to_bytes(other, "svg") != plain.encode()
    assert to_bytes(Request(network, made=first.plans), "svg") == plain.encode()  # nothing is mixed up


def test_the_default_is_as_it_was() -> None:
    network = archlens.load("lenet5")
    svg = drawing.to_svg(network)
    assert drawing.to_svg(network, font="sans") == svg
    assert "@font-face" not in svg
    assert 'font-family="Helvetica, Arial' in svg


def embedded(svg: str) -> list[bytes]:
    return [base64.b64decode(found) for found in re.findall(r"base64,([A-Za-z0-9+/=]+)\)", svg)]


@pytest.mark.parametrize("font", ["serif", "mono"])
def test_svg_has_the_outlines_that_it_needs(font: str) -> None:
    request = Request(archlens.load("resnet18"), font=font)
    svg = to_bytes(request, "svg").decode()
    files = embedded(svg)
    assert len(files) == 2
    assert all(len(file) < 20_000 for file in files)
    texts = [item for item in walk(request.picture.items) if isinstance(item, Text)]
    for bold, (file, whole) in enumerate(zip(files, FONTS_BY_NAME[font].files, strict=True)):
        found = opened(file)
        used = {c for item in texts if item.bold == bold for c in item.text}
        assert set(found.characters) == used
        for c in used:
            assert found.widths[c] == whole.widths[c]
            glyph = found.characters[c]
            assert found._outline(glyph).rstrip(b"\0") == whole._outline(glyph).rstrip(b"\0")
        head = 0xFFFFFFFF & sum(struct.unpack(f">{len(file) // 4}L", file))
        assert head == 0xB1B0AFBA  # as the specification has the sum of a whole file
    assert to_bytes(request, "svg").decode() == svg
    assert not re.search(r"url\((?!data:font/ttf;base64,)", svg)


def test_a_glyph_that_is_put_together_brings_its_parts() -> None:
    font = opened(SERIF.read_bytes())
    assert font._parts(font.characters["Ä"])
    small = opened(font.subset("Ä"))
    for part in font._parts(font.characters["Ä"]):
        assert small._outline(part).rstrip(b"\0") == font._outline(part).rstrip(b"\0")
    assert small._outline(font.characters["B"]) == b""


def test_both_themes_have_one_font() -> None:
    svg = to_bytes(Request(archlens.load("lenet5"), font="serif", theme="auto"), "svg").decode()
    assert svg.count("@font-face") == 2
    assert "prefers-color-scheme:dark" in svg


@pytest.mark.parametrize("font", ["serif", "mono", str(SERIF)])
def test_pdf_holds_it(font: str, tmp_path: Path) -> None:
    content = to_bytes(Request(archlens.load("lenet5"), font=font), "pdf")
    files = 1 if font == str(SERIF) else 2
    assert len(re.findall(rb"/FontFile2 \d+ 0 R", content)) == files
    assert content.count(b"/Type /Font ") == files
    if shutil.which("pdffonts"):
        (tmp_path / "x.pdf").write_bytes(content)
        said = subprocess.run(["pdffonts", "x.pdf"], cwd=tmp_path, capture_output=True, text=True, check=True)
        rows = said.stdout.splitlines()[2:]
        assert len(rows) == files
        assert all(row.split()[-5:-2] == ["yes", "yes", "yes"] for row in rows)


def test_png_is_painted_in_it() -> None:
    network = archlens.load("lenet5")
    found = {to_bytes(Request(network, font=font, bare=True), "png") for font in ("sans", "serif", "mono")}
    assert len(found) == 3
    # the same outlines from a file of one's own, where there is no bold
    assert to_bytes(Request(network, font=str(SERIF)), "png") == to_bytes(
        Request(network, font=str(SERIF)), "png"
    )


def test_tex_has_the_fonts_of_tex() -> None:
    network = archlens.load("lenet5")
    for font, package in (("sans", "helvet"), ("serif", "mathptmx"), ("mono", "courier")):
        assert rf"\usepackage{{{package},xcolor}}" in to_bytes(Request(network, font=font), "tex").decode()
    with pytest.raises(UsageError, match=r"a \.tex has the fonts of TeX, and not"):
        to_bytes(Request(network, font=str(SERIF)), "tex")


WRONG = {
    "nothing": (b"", "is not a TrueType font"),
    "text": (b"a font", "is not a TrueType font"),
    "otf": (b"OTTO" + bytes(100), "has PostScript outlines"),
    "woff": (b"wOF2" + bytes(100), "has the packing of the web"),
    "collection": (b"ttcf" + bytes(100), "has several fonts in one"),
    "cut": (SERIF.read_bytes()[:3000], "is a broken font"),
    "head alone": (SERIF.read_bytes()[:12], "is a broken font"),
    "no units": (with_table("head", {18: b"\0\0"}), "is a broken font"),
    "no glyphs": (with_table("maxp", {4: b"\0\0"}), "is a broken font"),
    "restricted": (with_table("OS/2", {8: b"\0\2"}), "may not be embedded, as it says itself"),
    "many tables": (SERIF.read_bytes()[:4] + b"\xff\xff" + SERIF.read_bytes()[6:], "is a broken font"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_no_font(name: str, tmp_path: Path) -> None:
    content, message = WRONG[name]
    file = tmp_path / "x.ttf"
    file.write_bytes(content)
    result = run("diagram", "lenet5", "--font", str(file), "-o", str(tmp_path / "x.svg"))
    assert result.returncode == 2
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "x.svg").exists()


@pytest.mark.parametrize("font", ["gothic", "no/such.ttf", ".", "\0", ""])
def test_a_font_that_is_not_there(font: str) -> None:
    with pytest.raises(UsageError, match="cannot be read") as caught:
        drawing.to_svg(archlens.load("lenet5"), font=font)
    assert caught.value.diagnostic.help == "serif, sans, mono, or a .ttf file"


@pytest.mark.parametrize("seed", range(4))
def test_broken_fonts_are_refused_or_read(seed: int) -> None:
    draw = random.Random(seed)
    whole = SERIF.read_bytes()
    refused = 0
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(draw.choice((1, 3, 30))):
            at = draw.randrange(draw.choice((300, len(content))))
            content[at] = draw.randrange(256)
        try:
            length = draw.choice((len(content), draw.randrange(1, len(content))))
            opened(bytes(content[:length])).subset("aÄ3")
        except UsageError:
            refused += 1
    assert refused > 20
