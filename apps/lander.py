"""Landing: a saved model flies the lander of gymnasium's LunarLander-v3.

    python -m apps.lander                          # ten flights: the return of each, and their mean
    python -m apps.lander --episodes 100
    python -m apps.lander --seed 7 --gif seven.gif # saves the flight of seed 7 as a film, with what the model predicts
    python -m apps.lander --human                  # shows the flights in a window
    python -m apps.lander --model my.h5            # a model of your own

Flight by flight the seed goes up by one: `--seed 7` begins with the flight that ten flights from seed 1 have as their
seventh. A return of 200 counts as solved. The model is the one that `python -m workshop.policy_gradient` trains. One of
your own takes the 8 numbers of an observation and has an output for each of the 4 actions: no engine, left engine, main
engine, right engine. The action of the highest output is taken; `--sample` draws one by the predicted probabilities, as
in training.
"""

from __future__ import annotations

import argparse
import itertools
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop.kit import cli, files
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.lazy import gymnasium, held_back_stderr, load
from workshop.kit.saving.loaded import Bundle
from workshop.programs import console, engines
from workshop.programs.probabilities import take_probabilities

if TYPE_CHECKING:
    import numpy as np

NAME = "lander"
LESSONS = ("policy_gradient",)
ENVIRONMENT = "LunarLander-v3"
ACTIONS = ("no engine", "left engine", "main engine", "right engine")
STEPS_A_FRAME, STEPS_A_SECOND = 4, 50  # of the film and of the environment: the film runs in real time
VIEW = (-1.0, 1.0, -0.59, 1.41)  # the rendered image in the units of the observation's x and y, the pad at (0, 0)


@dataclass
class Flight:
    """One episode, as far as it has come.

    Attributes:
        seed: of the ground, of the first push, and of the sampled actions.
        steps: the number of actions taken.
        total: the sum of the rewards so far, at the end the return.
        probabilities: the predicted probabilities of the last step.
        action: the action of the last step.
        end: "landed", "crashed", "flew away" or "ran out of time"; empty before the end.
    """

    seed: int
    steps: int = 0
    total: float = 0.0
    probabilities: Sequence[float] = ()
    action: int = 0
    end: str = ""


def main(argv: Sequence[str] | None = None) -> None:
    """Flies the episodes, prints a line for each and the mean of their returns."""
    parser = console.parser(__doc__, NAME)
    console.add_scaler(parser)
    add = parser.add_argument
    add("--episodes", type=cli.whole_number(1), default=10, metavar="N", help="flights (default: 10)")
    add("--seed", type=cli.whole_number(0), default=1, metavar="N", help="of the first flight (default: 1)")
    add("--sample", action="store_true", help="draw each action by its probability instead of taking the likeliest")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--gif", type=Path, metavar="FILE", help="save the first flight as an animation")
    shown.add_argument("--human", action="store_true", help="show the flights in a window")
    arguments = parser.parse_args(argv)
    if arguments.gif is not None:
        check_gif(arguments.gif)
    model = take_probabilities(engines.load(arguments.model, LESSONS, arguments.engine, arguments.scaler))
    console.check_shapes(model, inputs=[(8,)], outputs=[len(ACTIONS)])
    console.note_unverified(model, f"the 8 numbers of {ENVIRONMENT}, and the outputs {', '.join(ACTIONS)}")
    console.note_other_scalers(model)
    flights = []
    for flight in fly_all(model, arguments):
        flights.append(flight)
        print(f"seed {flight.seed}: {flight.end}, return {flight.total:.1f}, {flight.steps} steps", flush=True)
    mean = sum(flight.total for flight in flights) / len(flights)
    ends = ", ".join(f"{count} {end}" for end, count in Counter(flight.end for flight in flights).most_common())
    print(f"mean return {mean:.1f} of {len(flights)} {'flight' if len(flights) == 1 else 'flights'}: {ends}")
    if arguments.gif is not None:
        print(f"the flight of seed {flights[0].seed}: {one_line(arguments.gif)}")
    engines.show_side_by_side(model, lambda output: f"{ACTIONS[output.argmax()]} {console.percent(output.max())}")


def check_gif(path: Path) -> None:
    """Raises WorkshopError unless a GIF can be written to the path."""
    if path.suffix.lower() != ".gif":
        raise WorkshopError(f"--gif {path}: takes the name of a file that ends in .gif")
    if path.is_dir():
        raise WorkshopError(f"--gif {path}: that is a folder, takes the name of a file")
    files.check_writable(path.parent, "--gif")


def fly_all(model: Bundle, arguments: argparse.Namespace) -> Iterator[Flight]:
    """Yields each flight when it has ended; the first one is drawn where that is wanted."""
    seeds = range(arguments.seed, arguments.seed + arguments.episodes)
    if arguments.gif is not None:
        environment = make_environment("rgb_array")
        yield film(environment, fly(environment, model, seeds[0], arguments.sample), arguments.gif)
        environment.close()
        seeds = seeds[1:]
    environment = make_environment("human" if arguments.human else None)
    for seed in seeds:
        *_, flight = fly(environment, model, seed, arguments.sample)
        yield flight
    environment.close()


def make_environment(render_mode: str | None) -> Any:
    """Returns the environment, whose flights are the same in every mode.

    Raises:
        WorkshopError: gymnasium or what it needs is not installed, or there is no display for a window.
    """
    load("gymnasium")
    with warnings.catch_warnings():
        # Its types warn while they are made; where warnings are errors, that ends the interpreter.
        warnings.simplefilter("ignore", DeprecationWarning)
        load("Box2D")
    if render_mode is not None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        load("pygame")
    if render_mode == "human":
        check_display()
    return gymnasium.make(ENVIRONMENT, render_mode=render_mode)


def stop_if_closed() -> None:
    """Ends the program as Ctrl-C does, once the window has been closed."""
    pygame = load("pygame")
    if pygame.event.peek(pygame.QUIT):
        raise KeyboardInterrupt


def check_display() -> None:
    """Raises WorkshopError where pygame can open no window that a person sees."""
    pygame = load("pygame")
    advice = "take --gif FILE, or a machine with a screen"
    try:
        with held_back_stderr():  # SDL's own remarks
            pygame.display.init()
    except pygame.error as error:
        raise WorkshopError(f"--human: no window can be opened ({error}): {advice}") from error
    if pygame.display.get_driver() in {"dummy", "offscreen"}:  # pygame draws without a display, and says nothing
        raise WorkshopError(f"--human: no window can be opened, this machine has no display: {advice}")


def fly(environment: Any, model: Bundle, seed: int, is_sampled: bool) -> Iterator[Flight]:
    """Flies one episode, and yields the flight, the same object, after each of its steps.

    Raises:
        WorkshopError: the model predicts what is no number or, where actions are sampled, no probability.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    flight = Flight(seed)
    observation, _ = environment.reset(seed=seed)
    while not flight.end:
        outputs = model.predict(observation[None])[0].astype(np.float64)
        check_outputs(outputs, is_sampled, model)
        flight.probabilities = outputs.tolist()
        flight.action = int(random.choice(4, p=outputs / outputs.sum()) if is_sampled else outputs.argmax())
        observation, reward, is_terminated, is_truncated, _ = environment.step(flight.action)
        flight.total += float(reward)
        flight.steps += 1
        if is_terminated:
            # The last reward is 100 for coming to rest, -100 for the others: the hull touched the ground, or |x| > 1.
            lost = "flew away" if abs(observation[0]) >= 1 else "crashed"
            flight.end = "landed" if reward > 0 else lost
        elif is_truncated:
            flight.end = "ran out of time"
        if environment.render_mode == "human":
            stop_if_closed()
        yield flight


def check_outputs(outputs: np.ndarray, is_sampled: bool, model: Bundle) -> None:
    """Raises WorkshopError where the outputs (4,) tell no action."""
    import numpy as np

    if not np.isfinite(outputs).all():
        raise WorkshopError(f"{model.path} predicts {outputs.tolist()}, no finite numbers: train it again")
    if is_sampled and (outputs.min() < 0 or abs(outputs.sum() - 1) > 1e-3):
        raise WorkshopError(f"{model.path} predicts {outputs.tolist()}, no probabilities: fly it without --sample")


def film(environment: Any, flight: Iterator[Flight], path: Path) -> Flight:
    """Saves a flight as an animation, beside it the probabilities of the actions; returns it at its end."""
    from workshop.kit import plots
    from workshop.kit.plots import animation

    figure, axes = plots.subplots(1, 2, width=5.2, height=4.4, width_ratios=[3, 1])
    view, chart = axes.flat
    last = next(flight)

    def frames() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        image = environment.render()
        height, width, _ = image.shape
        shown = view.imshow(image, extent=VIEW, aspect=height / width)
        view.set(xlabel="x", ylabel="y", xticks=[-1, 0, 1], yticks=[0, 1])
        view.grid(False)
        bars = chart.barh(ACTIONS, last.probabilities)
        chart.set(xlabel="probability", xlim=(0, 1), xticks=[0, 1])
        chart.invert_yaxis()
        for now in itertools.chain([last], flight):
            image = environment.render()  # at every step: with each the flames fade
            if now.steps % STEPS_A_FRAME == 1 or now.end:
                shown.set_data(image)
                view.set_title(f"step {now.steps}: return {now.total:.0f}" + (f", {now.end}" if now.end else ""))
                for i, (bar, probability) in enumerate(zip(bars, now.probabilities, strict=True)):
                    bar.set_width(probability)
                    bar.set_color(plots.VERMILION if i == now.action else plots.BLUE)
                yield 2.0 if now.end else STEPS_A_FRAME / STEPS_A_SECOND

    animation.save(figure, frames(), path)
    return last


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
