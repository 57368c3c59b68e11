"""Moving pictures: frames, how long each stays, colours, and files that are never half."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from workshop.kit import plots
from workshop.kit.errors import WorkshopError
from workshop.kit.plots import animation


def frames_of(path: Path) -> list[tuple[np.ndarray, float]]:
    """The images of a GIF (height, width, 3) and the seconds that each is shown."""
    with Image.open(path) as gif:
        return [(np.asarray(one.convert("RGB")), one.info["duration"] / 1000) for one in ImageSequence.Iterator(gif)]


def growing_bars(axes: Any) -> Iterator[float]:
    """One bar more in each of three frames; the last one is shown for 2 s."""
    for step in range(3):
        axes.bar(step, step + 1, color=plots.COLOURS[step])
        axes.set_title("a title that grows\n" * step)
        yield 2 if step == 2 else 0.25


@pytest.fixture
def panel() -> tuple[Any, Any]:
    """A figure and its axes."""
    figure, axes = plots.subplots(width=4, height=3)
    axes.set(xlim=(-1, 3), ylim=(0, 4), xlabel="x", ylabel="y")
    return figure, axes


def test_each_frame_stays_as_long_as_it_was_asked_to(room: Path, panel: tuple[Any, Any]) -> None:
    assert animation.save(panel[0], growing_bars(panel[1]), room / "new" / "bars.gif") == room / "new" / "bars.gif"
    found = frames_of(room / "new" / "bars.gif")
    assert [seconds for _, seconds in found] == [0.25, 0.25, 2]
    assert {pixels.shape for pixels, _ in found} == {(240, 320, 3)}
    with Image.open(room / "new" / "bars.gif") as gif:
        assert gif.info["loop"] == 0  # for ever
    assert [path.name for path in (room / "new").iterdir()] == ["bars.gif"]


def test_colours_are_as_drawn_in_every_frame_and_white_is_white(room: Path, panel: tuple[Any, Any]) -> None:
    animation.save(panel[0], growing_bars(panel[1]), room / "bars.gif")
    for step, (pixels, _) in enumerate(frames_of(room / "bars.gif")):
        assert pixels[0, 0].tolist() == [255, 255, 255]
        seen = {"#{:02X}{:02X}{:02X}".format(*colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0)}
        assert set(plots.COLOURS[: step + 1]) <= seen


def test_the_axes_do_not_move_when_the_title_grows(room: Path, panel: tuple[Any, Any]) -> None:
    animation.save(panel[0], growing_bars(panel[1]), room / "bars.gif")
    first, second, third = (pixels for pixels, _ in frames_of(room / "bars.gif"))
    # The names and numbers under the axes: where nothing else is drawn.
    assert np.ptp(first[205:]) > 100
    assert np.array_equal(first[205:], second[205:])
    assert np.array_equal(first[205:], third[205:])


def test_a_failed_animation_leaves_the_old_file(room: Path, panel: tuple[Any, Any]) -> None:
    path = room / "bars.gif"
    path.write_text("the old one")

    def failing() -> Iterator[float]:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        animation.save(panel[0], failing(), path)
    assert path.read_text() == "the old one"
    with pytest.raises(ValueError, match="one frame or more"):
        animation.save(panel[0], iter(()), path)
    assert path.read_text() == "the old one"
    (room / "folder.gif").mkdir()
    with pytest.raises(WorkshopError, match="cannot be written"):
        animation.save(panel[0], growing_bars(panel[1]), room / "folder.gif")
    assert sorted(one.name for one in room.iterdir()) == ["bars.gif", "folder.gif"]
