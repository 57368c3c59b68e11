"""Figures: their style and how they are saved; `charts`, `contours`, `images` and `animation` draw."""

from workshop.kit.plots.style import (
    BLACK as BLACK,
    BLUE as BLUE,
    COLOURS as COLOURS,
    GREEN as GREEN,
    MARKERS as MARKERS,
    ORANGE as ORANGE,
    PURPLE as PURPLE,
    SKY as SKY,
    STYLE as STYLE,
    VERMILION as VERMILION,
    save as save,
    subplots as subplots,
)
