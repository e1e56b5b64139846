"""What is read of a font file: how wide its characters are, and a smaller file with some of them alone.

TrueType as the OpenType specification, version 1.9.1, has it: https://learn.microsoft.com/typography/opentype/spec.
Only outlines of ``glyf`` are taken, which PDF, PNG and SVG all hold. A file may say anything: nothing is read
outside of it, and whatever is not as the specification says is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from functools import cached_property

from ..errors import UsageError, printable, shorten, usage

#: The largest file that is read, and the most glyphs that a glyph may be put together from.
LARGEST, _PARTS = 20_000_000, 64
#: The most tables that a file may have.
_TABLES = 100
#: What a smaller file has of the tables of the whole.
_KEPT = ("OS/2", "cvt ", "fpgm", "head", "hhea", "hmtx", "maxp", "name", "post", "prep")
#: What a file begins with that is another kind of font.
_OTHERS = {
    b"OTTO": "PostScript outlines",
    b"wOFF": "the packing of the web (WOFF)",
    b"wOF2": "the packing of the web (WOFF 2)",
    b"ttcf": "several fonts in one (a collection)",
}


class FontFile:
    """A TrueType font.

    Args:
        content: the file.
        called: its name, for messages.

    Raises:
        UsageError: it is none, is broken, or may not be embedded.
    """

    def __init__(self, content: bytes, called: str) -> None:
        self.content = content
        self.called = shorten(called)
        if content[:4] in _OTHERS:
            raise usage(
                f"{self.called} has {_OTHERS[content[:4]]}, which not every format holds",
                help="a font with TrueType outlines, mostly a .ttf",
            )
        if content[:4] not in (b"\0\1\0\0", b"true") or len(content) > LARGEST:
            raise usage(f"{self.called} is not a TrueType font", help="serif, sans, mono, or a .ttf file")
        try:
            self._read()
        except (struct.error, IndexError, KeyError, ValueError, UnicodeDecodeError):
            raise self._broken() from None

    def _broken(self) -> UsageError:
        return usage(f"{self.called} is a broken font", help="its tables are not as TrueType has them")

    def _read(self) -> None:
        count = struct.unpack_from(">H", self.content, 4)[0]
        if count > _TABLES:
            raise ValueError
        self.tables: dict[str, bytes] = {}
        for k in range(count):
            tag, _, start, length = struct.unpack_from(">4sLLL", self.content, 12 + 16 * k)
            if start + length > len(self.content):
                raise ValueError
            self.tables[tag.decode("latin-1")] = self.content[start : start + length]
        self.units = struct.unpack_from(">H", self.tables["head"], 18)[0]
        self.glyphs = struct.unpack_from(">H", self.tables["maxp"], 4)[0]
        self.long = struct.unpack_from(">h", self.tables["head"], 50)[0]
        self.measured = struct.unpack_from(">H", self.tables["hhea"], 34)[0]
        if not (16 <= self.units <= 16_384 and 0 < self.measured <= self.glyphs and self.long in (0, 1)):
            raise ValueError
        if "OS/2" in self.tables and struct.unpack_from(">H", self.tables["OS/2"], 8)[0] & 0xF == 2:
            raise usage(
                f"{self.called} may not be embedded, as it says itself",
                help="its licence is restricted (fsType 2 of its OS/2 table); take another font",
            )
        self.characters = self._characters()
        self.family = self._family()
        struct.unpack_from(">H", self.tables["hmtx"], 4 * self.measured - 4)  # it is as long as it says
        self.starts = self._starts()

    def _starts(self) -> tuple[int, ...]:
        form = f">{self.glyphs + 1}{'L' if self.long else 'H'}"
        found = struct.unpack_from(form, self.tables["loca"])
        starts = found if self.long else tuple(2 * one for one in found)
        if list(starts) != sorted(starts) or starts[-1] > len(self.tables["glyf"]):
            raise ValueError
        return starts

    def _characters(self) -> dict[str, int]:
        """The glyph of each character of the Basic Multilingual Plane."""
        cmap = self.tables["cmap"]
        for k in range(min(struct.unpack_from(">H", cmap, 2)[0], 50)):
            platform, encoding, at = struct.unpack_from(">HHL", cmap, 4 + 8 * k)
            if (platform, encoding) not in ((3, 1), (0, 3), (0, 4), (3, 10)):
                continue
            if struct.unpack_from(">H", cmap, at)[0] == 4:
                return self._format_4(cmap, at)
        raise ValueError

    def _format_4(self, cmap: bytes, at: int) -> dict[str, int]:
        half = struct.unpack_from(">H", cmap, at + 6)[0] // 2
        ends, starts, deltas, offsets = (
            struct.unpack_from(f">{half}H", cmap, at + 14 + 2 * half * k + (2 if k else 0)) for k in range(4)
        )
        if sum(max(0, end - start + 1) for start, end in zip(starts, ends, strict=True)) > 0x10000:
            raise ValueError
        found: dict[str, int] = {}
        for k, (end, start, delta, offset) in enumerate(zip(ends, starts, deltas, offsets, strict=True)):
            for code in range(start, end + 1):
                if not offset:
                    glyph = (code + delta) & 0xFFFF
                else:
                    place = at + 16 + 6 * half + 2 * k + offset + 2 * (code - start)
                    glyph = struct.unpack_from(">H", cmap, place)[0] if code != 0xFFFF else 0
                    glyph = (glyph + delta) & 0xFFFF if glyph else 0
                if 0 < glyph < self.glyphs:
                    found[chr(code)] = glyph
        return found

    def _family(self) -> str:
        """Its family, as its names have it."""
        name = self.tables["name"]
        count, start = struct.unpack_from(">HH", name, 2)
        for k in range(min(count, 500)):
            platform, _, _, number, length, at = struct.unpack_from(">6H", name, 6 + 12 * k)
            if number == 1:
                coding = "mac-roman" if platform == 1 else "utf-16-be"
                text = printable(name[start + at : start + at + length].decode(coding)).strip()
                if text and len(text) <= 100 and not set(text) & set("'\"\\<>&;{}"):
                    return text
        raise ValueError

    @cached_property
    def widths(self) -> dict[str, int]:
        """The advance width of each character, in thousandths of the font's size."""
        advances = struct.unpack_from(">" + "Hh" * self.measured, self.tables["hmtx"])[::2]
        return {
            c: round(advances[min(glyph, self.measured - 1)] * 1000 / self.units)
            for c, glyph in self.characters.items()
        }

    def subset(self, characters: Collection[str]) -> bytes:
        """A font file with the outlines of some characters alone, the same for the same.

        Raises:
            UsageError: its outlines are not as they should be.
        """
        try:
            return self._subset(characters)
        except (struct.error, IndexError, ValueError):
            raise self._broken() from None

    def _subset(self, characters: Collection[str]) -> bytes:
        chosen = {c: self.characters[c] for c in sorted(characters) if c in self.characters}
        kept = {0, *chosen.values()}
        waiting = sorted(kept)
        for glyph in waiting:
            for part in self._parts(glyph):
                if part not in kept:
                    kept.add(part)
                    waiting.append(part)
        outlines, starts = bytearray(), [0]
        for glyph in range(self.glyphs):
            if glyph in kept:
                outlines += self._outline(glyph)
                outlines += bytes(-len(outlines) % 4)
            starts.append(len(outlines))
        head = bytearray(self.tables["head"])
        struct.pack_into(">L", head, 8, 0)
        struct.pack_into(">h", head, 50, 1)
        tables = {tag: self.tables[tag] for tag in _KEPT if tag in self.tables}
        tables |= {
            "cmap": _cmap(chosen),
            "glyf": bytes(outlines),
            "head": bytes(head),
            "loca": struct.pack(f">{len(starts)}L", *starts),
        }
        return _file(tables)

    def _outline(self, glyph: int) -> bytes:
        return self.tables["glyf"][self.starts[glyph] : self.starts[glyph + 1]]

    def _parts(self, glyph: int) -> list[int]:
        """The glyphs that a glyph is put together from."""
        outline = self._outline(glyph)
        if not outline or struct.unpack_from(">h", outline)[0] >= 0:
            return []
        parts: list[int] = []
        at, flags = 10, 0x20
        while flags & 0x20:
            flags, part = struct.unpack_from(">HH", outline, at)
            if part >= self.glyphs or len(parts) >= _PARTS:
                raise ValueError
            parts.append(part)
            at += 8 if flags & 1 else 6
            at += 2 if flags & 8 else 4 if flags & 0x40 else 8 if flags & 0x80 else 0
        return parts


def _cmap(characters: dict[str, int]) -> bytes:
    """The table of characters, a segment for each (format 4)."""
    codes = [(ord(c), glyph) for c, glyph in sorted(characters.items())]
    ends = [*(code for code, _ in codes), 0xFFFF]
    deltas = [*((glyph - code) & 0xFFFF for code, glyph in codes), 1]
    count = len(ends)
    power = 1 << (count.bit_length() - 1)
    search = (2 * power, power.bit_length() - 1, 2 * (count - power))
    body = struct.pack(f">{count}H", *ends) + b"\0\0" + struct.pack(f">{count}H", *ends)
    body += struct.pack(f">{count}H", *deltas) + bytes(2 * count)
    table = struct.pack(">7H", 4, 14 + len(body), 0, 2 * count, *search) + body
    return struct.pack(">HHHHL", 0, 1, 3, 1, 12) + table


def _file(tables: dict[str, bytes]) -> bytes:
    """A font file of tables."""
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    out = bytearray(
        struct.pack(">LHHHH", 0x10000, count, 16 * power, power.bit_length() - 1, 16 * (count - power))
    )
    at = 12 + 16 * count
    body = bytearray()
    for tag, table in sorted(tables.items()):
        padded = table + bytes(-len(table) % 4)
        total = sum(struct.unpack(f">{len(padded) // 4}L", padded)) & 0xFFFFFFFF
        out += struct.pack(">4sLLL", tag.encode("latin-1"), total, at + len(body), len(table))
        body += padded
    whole = out + body
    adjusted = (0xB1B0AFBA - sum(struct.unpack(f">{len(whole) // 4}L", whole))) & 0xFFFFFFFF
    place = at + sum(len(t) + -len(t) % 4 for tag, t in sorted(tables.items()) if tag < "head")
    struct.pack_into(">L", whole, place + 8, adjusted)
    return bytes(whole)
