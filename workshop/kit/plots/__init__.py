"""Figures: their style and how they are saved; `charts`, `contours`, `images` and `animation` draw."""

from workshop.kit.plots.style import (
    BLACK as BLACK,
)
from workshop.kit.plots.style import (
    BLUE as BLUE,
)
from workshop.kit.plots.style import (
    COLOURS as COLOURS,
)
from workshop.kit.plots.style import (
    GREEN as GREEN,
)
from workshop.kit.plots.style import (
    MARKERS as MARKERS,
)
from workshop.kit.plots.style import (
    ORANGE as ORANGE,
)
from workshop.kit.plots.style import (
    PURPLE as PURPLE,
)
from workshop.kit.plots.style import (
    SKY as SKY,
)
from workshop.kit.plots.style import (
    STYLE as STYLE,
)
from workshop.kit.plots.style import (
    VERMILION as VERMILION,
)
from workshop.kit.plots.style import (
    save as save,
)
from workshop.kit.plots.style import (
    subplots as subplots,
)
