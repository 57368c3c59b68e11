"""Landing: a saved model flies the lander of gymnasium's LunarLander-v3.

    python -m apps.lander                          # ten flights: the return of each, and their mean
    python -m apps.lander --episodes 100
    python -m apps.lander --seed 7 --gif seven.gif # draws the flight of seed 7, with the predicted probabilities
    python -m apps.lander --human                  # shows the flights in a window
    python -m apps.lander --model my.h5            # a model of your own

Flight by flight the seed goes up by one: `--seed 7` begins with the flight that ten flights from seed 1 have as their
seventh. A return of 200 counts as solved. The model is the one that `python -m workshop.policy_gradient` trains. One of
your own takes the 8 numbers of an observation and has an output for each of the 4 actions: no engine, left engine, main
engine, right engine. The action of the highest output is taken; `--sample` draws one by the predicted probabilities, as
in training.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workshop.kit import cli
from workshop.kit.environments import lander
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.kit.lazy import held_back_stderr, load
from workshop.kit.saving.loaded import Bundle
from workshop.programs import console, engines
from workshop.programs.probabilities import take_probabilities

if TYPE_CHECKING:
    import gymnasium
    import numpy as np


def main(argv: Sequence[str] | None = None) -> None:
    """Flies the episodes, prints a line for each and the mean of their returns."""
    parser = console.Parser(__doc__, "lander")
    console.add_scaler(parser)
    add = parser.add_argument
    add("--episodes", type=cli.whole_number(1), default=10, metavar="N", help="flights (default: 10)")
    add("--seed", type=cli.whole_number(0), default=1, metavar="N", help="seed of the first flight (default: 1)")
    add("--sample", action="store_true", help="draw each action by its probability instead of taking the likeliest")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--gif", type=Path, metavar="FILE", help="save the first flight as an animation")
    shown.add_argument("--human", action="store_true", help="show the flights in a window")
    arguments = parser.parse_args(argv)
    if arguments.gif is not None:
        console.check_output(arguments.gif, ".gif", "--gif")
    model = take_probabilities(engines.load(arguments.model, ["policy_gradient"], arguments.engine, arguments.scaler))
    console.check_shapes(model, inputs=[(8,)], outputs=[4])
    environment = make_environment(arguments.human)
    console.note_unverified(model, f"the 8 numbers of {lander.NAME}, and the outputs {', '.join(lander.ACTIONS)}")
    console.note_other_scalers(model)
    returns, ends = [], []
    for seed in range(arguments.seed, arguments.seed + arguments.episodes):
        flight, probabilities = fly(environment, model, seed, arguments.sample)
        returns.append(flight.total)
        ends.append(describe_end(flight))
        print(f"seed {seed}: {ends[-1]}, return {flight.total:.1f}, {len(flight.actions)} steps", flush=True)
        if arguments.gif is not None and seed == arguments.seed:
            save_gif(flight, probabilities, arguments.gif)
            print(f"  drawn as {one_line(arguments.gif)}")
    environment.close()
    counts = ", ".join(f"{count} {end}" for end, count in Counter(ends).most_common())
    mean = sum(returns) / len(returns)
    print(f"mean return {mean:.1f} of {len(returns)} {'flight' if len(returns) == 1 else 'flights'}: {counts}")
    engines.show_side_by_side(
        model, lambda output: f"{lander.ACTIONS[output.argmax()]} {console.percent(output.max())}"
    )


def make_environment(is_shown: bool) -> gymnasium.Env:
    """Returns the environment, which shows itself in a window or not; its flights are the same.

    Raises:
        WorkshopError: gymnasium or what it needs is not installed, or there is no display for a window.
    """
    if not is_shown:
        return lander.make()
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    check_display()
    return lander.make(render_mode="human")


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


def fly(environment: gymnasium.Env, model: Bundle, seed: int, is_sampled: bool) -> tuple[lander.Flight, np.ndarray]:
    """Flies one episode; returns it, and the predicted probabilities (steps, 4).

    Raises:
        WorkshopError: the model predicts what is no number or, where actions are sampled, no probability.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    state, _ = environment.reset(seed=seed)
    states, actions, rewards, probabilities = [state], [], [], []
    has_ended = False
    while not has_ended:
        outputs = model.predict(state[None])[0].astype(np.float64)
        check_outputs(outputs, is_sampled, model)
        action = int(random.choice(4, p=outputs / outputs.sum()) if is_sampled else outputs.argmax())
        state, reward, is_terminated, is_truncated, _ = environment.step(action)
        has_ended = is_terminated or is_truncated
        states.append(state)
        actions.append(action)
        rewards.append(float(reward))
        probabilities.append(outputs)
        if environment.render_mode == "human":
            stop_if_closed()
    ground = lander.ground(environment)
    return lander.Flight(np.array(states), np.array(actions), np.array(rewards), ground), np.array(probabilities)


def check_outputs(outputs: np.ndarray, is_sampled: bool, model: Bundle) -> None:
    """Raises WorkshopError where the outputs (4,) tell no action."""
    import numpy as np

    if not np.isfinite(outputs).all():
        raise WorkshopError(f"{model.path} predicts {outputs.tolist()}, no finite numbers: train it again")
    if is_sampled and (outputs.min() < 0 or abs(outputs.sum() - 1) > 1e-3):
        raise WorkshopError(f"{model.path} predicts {outputs.tolist()}, no probabilities: fly it without --sample")


def describe_end(flight: lander.Flight) -> str:
    """Returns in words how a flight ended."""
    if flight.has_landed:
        return "landed"
    if abs(flight.states[-1, 0]) >= 1:
        return "flew away"
    return "ran out of time" if len(flight.actions) == lander.MAX_STEPS else "crashed"


def save_gif(flight: lander.Flight, probabilities: np.ndarray, path: FilePath) -> None:
    """Saves a flight as an animation, beside it the probabilities of the actions."""
    from workshop.figures import policy_gradient as figures
    from workshop.kit.plots import animation

    figure, frames = figures.landing(flight, probabilities, lander.ACTIONS)
    animation.save(figure, frames, path)


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
