"""The figure of every plot, which draws a text as it is written.

A name from somebody's file may hold two dollar signs, between which matplotlib sets mathematics, or letters that its
own font lacks.
"""

import sys
import unicodedata
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from matplotlib import font_manager
from matplotlib.category import StrCategoryFormatter
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter

from workshop.kit.errors import one_line

# Of these fonts every letter is a sign of mathematics, or a box.
_NO_LETTERS = ("cmb10", "cmex10", "cmmi10", "cmr10", "cmss10", "cmsy10", "cmtt10", "Last Resort", "STIX")


class NamesFigure(Figure):
    """A figure whose titles, labels and legends are texts, not formulas; the numbers of its axes stay as they are."""

    def draw(self, renderer: Any) -> None:
        """Draws the figure."""
        texts = list(_texts(self))
        for text in texts:
            text.set_parse_math(False)
            text.set_text(_shown(text.get_text()))
        missing = frozenset("".join(text.get_text() for text in texts if not text.get_text().isascii()))
        families, without_font = _fonts(missing) if missing else ((), "")
        for text in texts:
            if families and not text.get_text().isascii():
                text.set_fontfamily([*text.get_fontfamily(), *families])
        with warnings.catch_warnings():
            if without_font:
                _say_once(without_font)
                warnings.filterwarnings("ignore", r"Glyph .* missing from")
            super().draw(renderer)


def _texts(figure: Figure) -> Iterator[Text]:
    """Yields the texts of a figure, without the numbers of its axes, whose powers of ten are formulas."""
    numbers = set[int]()
    for axes in figure.axes:
        for axis in axes._axis_map.values():
            # Asking for the labels makes them.
            for formatter, labels, place in (
                (axis.get_major_formatter(), axis.get_majorticklabels(), axis.set_major_formatter),
                (axis.get_minor_formatter(), axis.get_minorticklabels(), axis.set_minor_formatter),
            ):
                if not isinstance(formatter, (FixedFormatter, FuncFormatter, StrCategoryFormatter)):
                    numbers.update(map(id, labels))
                elif any(_shown(label.get_text()) != label.get_text() for label in labels):
                    place(FuncFormatter(lambda value, position, name=formatter: _shown(name(value, position))))
            numbers.add(id(axis.get_offset_text()))
    for text in figure.findobj(Text):
        if id(text) not in numbers:
            yield text


def _shown(text: str) -> str:
    """Returns a text without what no font shows: joiners and marks of direction are left out, the rest is a "?"."""
    if text.isascii() and text.isprintable():
        return text
    kept = (c for c in text if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")
    return "".join(c if c.isprintable() or c.isspace() else "?" for c in kept)


@lru_cache(maxsize=64)
def _fonts(characters: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """Returns the families of installed fonts that have what matplotlib's own lacks, and what none of them has."""
    own = font_manager.findfont(font_manager.FontProperties())
    missing = {c for c in characters if not c.isspace()} - _characters(own, characters)
    families: list[str] = []
    plain = (
        font for font in font_manager.fontManager.ttflist if font.style == "normal" and font.weight in {400, "normal"}
    )
    for font in sorted(plain, key=lambda font: font.name):
        if not missing:
            break
        if font.name in families or font.name.startswith(_NO_LETTERS):
            continue
        if covered := missing & _characters(font.fname, missing):
            families.append(font.name)
            missing -= covered
    return tuple(families), "".join(sorted(missing))


def _characters(path: str, wanted: frozenset[str] | set[str]) -> set[str]:
    """Returns which characters a font has."""
    try:
        charmap = font_manager.get_font(path).get_charmap()
    except (OSError, RuntimeError):  # a damaged font
        return set()
    return {character for character in wanted if ord(character) in charmap}


_said: set[str] = set()


def _say_once(characters: str) -> None:
    new = [character for character in characters if character not in _said]
    _said.update(new)
    if new:
        shown = one_line("".join(new[:10]))
        more = f" and {len(new) - 10} others" if len(new) > 10 else ""
        print(f"note: no font on this machine has {shown}{more}: plots show boxes for them", file=sys.stderr)
