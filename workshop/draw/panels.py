"""The panels of the page as HTML and SVG: arrays in, text out; no mathematics, and nothing that the browser must fetch.

The colours are those of the package's plots, which the colour-blind tell apart.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from contourpy import contour_generator
from matplotlib import colormaps
from PIL import Image

from workshop.draw.answers import Answer, Classifier
from workshop.draw.steps import Training
from workshop.kit import plots
from workshop.programs import console

COLOURS = {"Keras": plots.BLUE, "PyTorch": plots.VERMILION, "NumPy": plots.GREEN}
_MAX_CHANNELS = 16  # of a layer that are shown
_PLOT = 420  # units of the SVG: the side of the plot of the boundary
_GRID = 120  # points a side, at which the network's probability is computed


# --- Drawing ----------------------------------------------------------------------------------------------------------


def model(classifier: Classifier) -> str:
    """Returns a line about the model and the engines that predict with it."""
    engines = ", ".join(classifier.models)
    return f'<p class="model">The model is {escape(classifier.path.name)}, in {engines}.</p>'


def empty(classifier: Classifier, message: str = "") -> tuple[str, str]:
    """Returns the two panels while there is nothing to predict: the answer's with what to do, that of the layers.

    Args:
        classifier: the model.
        message: why there is nothing, where an image was refused.
    """
    kind = f"a garment: {', '.join(classifier.classes)}" if classifier.is_garment else "a digit"
    invitation = "" if message else f"Draw {escape(kind)}, with the mouse, a pen or a finger."
    refusal = f'<p class="refused" role="alert">{escape(message)}</p>' if message else ""
    return f'<div class="answer">{refusal}<p class="invitation">{invitation}</p>{_notes(classifier.notes)}</div>', ""


def answer(classifier: Classifier, result: Answer) -> tuple[str, str]:
    """Returns the two panels of an answer: the prediction with what the network sees, and the layers' outputs."""
    name = classifier.classes[result.label]
    first = next(iter(result.probabilities.values()))
    seen = _image(_dark(result.image), "seen", "the network's input", "What the network sees: 28 x 28")
    if result.heat is not None:
        alt = f"the evidence for {name}"
        seen += _image(_heated(result.image, result.heat), "seen", alt, f"Grad-CAM: light speaks for {name}")
    prediction = (
        f'<p class="prediction" data-class="{escape(name)}"><strong>{escape(name)}</strong> '
        f"{console.percent(float(first[result.label]))}</p>"
    )
    bars = f'<div class="prediction-and-bars">{prediction}{_bars(classifier.classes, result)}</div>'
    notes = _notes(classifier.notes)
    return f'<div class="answer"><div class="images">{seen}</div>{bars}{notes}</div>', _layers(result.stages)


def _bars(classes: Sequence[str], answer: Answer) -> str:
    """Returns a table of the probabilities: a row for each class, a column for each engine."""
    heads = "".join(f'<th style="color:{COLOURS[name]}">{name}</th>' for name in answer.probabilities)
    rows = []
    for i, label in enumerate(classes):
        cells = ""
        for engine, probabilities in answer.probabilities.items():
            value = float(probabilities[i])
            # A bar of nothing is no bar; the number says how little it is.
            bar = f'<span class="bar" style="width:{value:.1%};background:{COLOURS[engine]}"></span>'
            cells += f'<td><span class="track">{bar}</span><span class="number">{console.percent(value)}</span></td>'
        chosen = ' class="chosen"' if i == answer.label else ""
        rows.append(f"<tr{chosen}><th>{escape(label)}</th>{cells}</tr>")
    table = f'<table class="bars"><tr><th></th>{heads}</tr>{"".join(rows)}</table>'
    if len(answer.probabilities) == 1:
        return table
    largest = float(np.ptp(np.stack(list(answer.probabilities.values())), axis=0).max())
    engines = " and ".join(", ".join(answer.probabilities).rsplit(", ", 1))
    return f'{table}<p class="difference">{engines} differ by {largest:.0e} at most.</p>'


def _layers(stages: Sequence[tuple[str, np.ndarray]]) -> str:
    """Returns the outputs of the layers, one under the other: images of the first channels, or a strip of units."""
    rows = []
    for kind, output in stages:
        shape = " x ".join(str(size) for size in output.shape)
        shown, sort = output, "strip"
        if output.ndim == 1:
            shown = output[None, :]
        elif output.ndim == 3:
            # The channels side by side, with a white column between them.
            channels = output[..., :_MAX_CHANNELS]
            gap = float(channels.min())
            padded = np.pad(channels, ((0, 0), (0, 1), (0, 0)), constant_values=gap)
            shown, sort = padded.transpose(0, 2, 1).reshape(len(output), -1), "channels"
            shape += f", the first {_MAX_CHANNELS}" if output.shape[-1] > _MAX_CHANNELS else ""
        low, high = float(shown.min()), float(shown.max())
        scaled = (shown - low) / max(high - low, 1e-9)
        rows.append(_image(_dark(scaled), sort, f"the output of {kind}", f"{kind}: {shape}"))
    return f'<div class="layers"><h3>The output of each layer (NumPy), dark is large</h3>{"".join(rows)}</div>'


def _notes(notes: Iterable[str]) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>' for note in notes)


def _dark(values: np.ndarray) -> np.ndarray:
    """Returns values from 0 to 1 as grey pixels, 1 black."""
    return np.round(255 * (1 - np.clip(values, 0, 1))).astype(np.uint8)


def _heated(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Returns a heat map over its image, as the programs on photos draw it: RGB pixels."""
    colours = colormaps["inferno"](heat)[..., :3]
    return np.round(255 * (0.6 * colours + 0.4 * image[..., None])).astype(np.uint8)


def _image(pixels: np.ndarray, kind: str, alt: str, caption: str) -> str:
    """Returns a figure of an image of few pixels, which the browser draws as squares."""
    source = _data_url(pixels)
    image = f'<img class="{kind}" src="{source}" alt="{escape(alt)}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _data_url(pixels: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


# --- Training ---------------------------------------------------------------------------------------------------------


def training(state: Training) -> str:
    """Returns the decision boundary of a network as far as it is trained, and its loss so far, as SVG."""
    epoch = len(state.losses)
    words = "before training" if not epoch else f"after {epoch} epoch{'s' if epoch > 1 else ''}"
    loss = f", loss {state.losses[-1]:.3f}" if epoch else ""
    text = f"{words}{loss}, {state.accuracy():.0%} of the points classified correctly"
    plots_ = _boundary(state) + _losses(state.losses)
    return (
        f'<div class="training" data-epoch="{epoch}"><p class="progress">{text[0].upper()}{text[1:]}</p>'
        f'<svg viewBox="0 0 1000 500" role="img" aria-label="{text}">{plots_}</svg></div>'
    )


def _boundary(state: Training) -> str:
    """Returns the network's probability as a shade, the boundary at 0.5 as a line, and the points over both."""
    low, high = state.X.min(axis=0), state.X.max(axis=0)
    margin = 0.08 * (high - low)
    low, high = low - margin, high + margin
    sides = np.linspace(low, high, _GRID, dtype=np.float32).T
    grid = np.stack(np.meshgrid(*sides), axis=-1)
    values = state.network.predict(grid.reshape(-1, 2))[:, 0].reshape(_GRID, _GRID)
    # As in the lessons: orange for class 0, purple for class 1, ten steps, half transparent.
    steps = np.clip(np.floor(10 * values) / 10 + 0.05, 0, 1)
    shade = 0.5 * colormaps["PuOr"](steps)[::-1, :, :3] + 0.5
    left, top = 60, 20
    source = _data_url(np.round(255 * shade).astype(np.uint8))
    parts = [f'<image href="{source}" x="{left}" y="{top}" width="{_PLOT}" height="{_PLOT}"/>']

    def place(points: np.ndarray) -> np.ndarray:
        share = (points - low) / (high - low)
        return np.array([left, top]) + _PLOT * np.stack([share[:, 0], 1 - share[:, 1]], axis=1)

    for line in contour_generator(x=sides[0], y=sides[1], z=values).lines(0.5):
        parts.append(f'<polyline class="boundary" points="{_points(place(np.asarray(line)))}"/>')
    for (x, y), label in zip(place(state.X), state.y, strict=True):
        if label:
            parts.append(f'<path class="class-1" d="M{x:.1f} {y - 6:.1f}l6 10h-12z"/>')
        else:
            parts.append(f'<circle class="class-0" cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
    ticks = [np.arange(np.ceil(a), np.floor(b) + 1) + 0.0 for a, b in zip(low, high, strict=True)]
    for value in ticks[0]:
        x = place(np.array([[value, low[1]]]))[0, 0]
        parts.append(f'<text x="{x:.1f}" y="{top + _PLOT + 22}" class="tick middle">{value:g}</text>')
    for value in ticks[1]:
        y = place(np.array([[low[0], value]]))[0, 1]
        parts.append(f'<text x="{left - 8}" y="{y + 5:.1f}" class="tick end">{value:g}</text>')
    parts.append(f'<rect class="frame" x="{left}" y="{top}" width="{_PLOT}" height="{_PLOT}"/>')
    parts.append(f'<text x="{left + _PLOT / 2}" y="{top + _PLOT + 48}" class="middle">x1</text>')
    parts.append(f'<text x="20" y="{top + _PLOT / 2}" class="middle">x2</text>')
    return "".join(parts)


def _losses(losses: Sequence[float]) -> str:
    """Returns the loss by the number of epochs, from 0 to the highest so far."""
    left, top, width = 580, 20, 400
    epochs = max(len(losses), 20)
    highest = max([0.8, *losses])
    parts = [f'<path class="frame" d="M{left} {top}v{_PLOT}h{width}"/>']
    for value in np.arange(0, highest + 1e-9, 0.2 if highest < 2 else np.ceil(highest / 5)):
        y = top + _PLOT * (1 - value / highest)
        parts.append(f'<path class="grid" d="M{left} {y:.1f}h{width}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 5:.1f}" class="tick end">{value:.1f}</text>')
    for value in (0, epochs // 2, epochs):
        x = left + width * value / epochs
        parts.append(f'<text x="{x:.1f}" y="{top + _PLOT + 22}" class="tick middle">{value}</text>')
    if losses:
        across = left + width * np.arange(1, len(losses) + 1) / epochs
        down = top + _PLOT * (1 - np.array(losses) / highest)
        parts.append(f'<polyline class="loss" points="{_points(np.stack([across, down], axis=1))}"/>')
    parts.append(f'<text x="{left + width / 2}" y="{top + _PLOT + 48}" class="middle">epoch</text>')
    parts.append(f'<text x="{left + 10}" y="{top + 16}">training loss (cross-entropy)</text>')
    return "".join(parts)


def _points(places: np.ndarray) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
