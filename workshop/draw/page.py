"""The page: what stands where, and which function is called when. Gradio is imported here and in `run` alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from workshop.draw import panels, steps
from workshop.draw.answers import DRAWING, MAX_FILE_SIZE, Classifier, check_size
from workshop.draw.steps import Training
from workshop.kit.errors import WorkshopError

_FOLDER = Path(__file__).parent
CSS = (_FOLDER / "page.css").read_text("utf-8")
TITLE = "Draw, and see what the network sees"
# The fonts of the system: a font from the web would be asked for over the network.
THEME = gr.themes.Default(
    primary_hue="blue",
    font=[gr.themes.Font("system-ui"), gr.themes.Font("sans-serif")],
    font_mono=[gr.themes.Font("ui-monospace"), gr.themes.Font("monospace")],
)
LIGHT = "() => document.body.classList.remove('dark')"


def build(classifier: Classifier) -> gr.Blocks:
    """Returns the page for a model: a tab to draw on, and one that trains a small network."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        gr.HTML(f"<h1>{TITLE}</h1>{panels.model(classifier)}")
        with gr.Tab("Draw"):
            _draw_tab(classifier)
        with gr.Tab("Train a network"):
            _train_tab(page)
    return page


def _draw_tab(classifier: Classifier) -> None:
    nothing, no_layers = panels.empty(classifier)
    with gr.Row():
        with gr.Column(scale=0, min_width=320):
            paper = gr.HTML(
                html_template=(_FOLDER / "canvas.html").read_text("utf-8"),
                js_on_load=(_FOLDER / "canvas.js").read_text("utf-8"),
                elem_classes="paper",
                max_size=MAX_FILE_SIZE,
            )
        with gr.Column(scale=1):
            answer = gr.HTML(nothing)
    layers = gr.HTML(no_layers)

    def predict(event: gr.EventData) -> tuple[str, str]:
        sent = event._data if isinstance(event._data, dict) else {}
        name = sent.get("name", DRAWING)
        try:
            if "size" in sent:
                check_size(sent["size"], name)
            image = classifier.read(sent["image"], name) if "image" in sent else None
        except WorkshopError as error:
            return panels.empty(classifier, str(error))
        return panels.empty(classifier) if image is None else panels.answer(classifier, classifier.answer(image))

    # One event for everything, and of strokes in quick succession the last: no answer overtakes a later one.
    paper.input(
        predict, None, [answer, layers], queue=False, trigger_mode="always_last", show_progress="hidden", api_name=False
    )


def _train_tab(page: gr.Blocks) -> None:
    state = gr.State()  # each visitor's own
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            data = gr.Radio(steps.DATA, value=steps.DATA[0], label="Points")
            noise = gr.Slider(0, steps.MAX_NOISE, 0.15, step=0.05, label="Noise (standard deviation)")
            units = gr.Slider(1, steps.MAX_UNITS, 4, step=1, label="Hidden units")
            activation = gr.Radio(steps.ACTIVATIONS, value=steps.ACTIVATIONS[0], label="Activation")
            rate = gr.Radio(steps.RATES, value=0.3, label="Learning rate")
            with gr.Row():
                train = gr.Button("Train", variant="primary", size="md", min_width=100)
                stop = gr.Button("Stop", size="md", min_width=100)
            with gr.Row():
                one = gr.Button("One epoch", size="md", min_width=100)
                again = gr.Button("New weights", size="md", min_width=100)
        with gr.Column(scale=3, min_width=500):
            plot = gr.HTML()
    settings = [data, noise, units, activation, rate]

    def start(data: str, noise: float, units: int, activation: str, rate: float) -> tuple[Training, str]:
        training = Training(data, noise, units, activation, rate)
        return training, panels.training(training)

    def restart(
        training: Training, data: str, noise: float, units: int, activation: str, rate: float
    ) -> tuple[Training, str]:
        training = Training(data, noise, units, activation, rate, training.seed + 1)
        return training, panels.training(training)

    def run(training: Training) -> Iterator[str]:
        for _ in training.frames():
            yield panels.training(training)

    def one_epoch(training: Training) -> str:
        training.train_epoch()
        return panels.training(training)

    def set_rate(training: Training, value: float) -> None:
        training.rate = value  # also of a training that runs

    quiet = {"show_progress": "hidden", "api_name": False}
    page.load(start, settings, [state, plot], **quiet)
    running = train.click(run, state, plot, concurrency_limit=None, **quiet)
    stop.click(None, cancels=[running])
    one.click(one_epoch, state, plot, cancels=[running], **quiet)
    again.click(restart, [state, *settings], [state, plot], cancels=[running], **quiet)
    changes = [data.change, noise.release, units.release, activation.change]
    gr.on(changes, start, settings, [state, plot], cancels=[running], **quiet)
    rate.change(set_rate, [state, rate], None, queue=False, **quiet)
