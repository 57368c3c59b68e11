"""Figures and tables of decision processes: graphs, maps of blackjack, ways over the cliff, how two agents learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from workshop.kit import plots
from workshop.kit.report import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

RADIUS = 0.27  # of a state's circle
CARDS = ("A", *"23456789", "10")
KINDS = ("no usable ace", "usable ace")
CLIFF_COLOURS = {"Q-learning": plots.VERMILION, "SARSA": plots.BLUE, "expected SARSA": plots.GREEN}
WINDOW = 10  # episodes over which a curve is smoothed


# --- Decision processes -----------------------------------------------------------------------------------------------


class Graph(NamedTuple):
    """A decision process as a graph.

    Attributes:
        positions: of the states (states, 2).
        values: of the states (states,).
        arrows: from and to which state, the reward, and whether it lies on the best path from state 0.
    """

    positions: np.ndarray
    values: np.ndarray
    arrows: list[tuple[int, int, float, bool]]


def graph(process: Mapping[int, Mapping[int, float]], values: np.ndarray, discount: float) -> Graph:
    """Returns the graph of a process {state: {next state: reward}} with the values of its states (states,).

    A state stands as many columns to the right as the longest way to it has steps.
    """
    columns = dict.fromkeys(process, 0)
    for _ in process:
        for state, actions in process.items():
            for next_state in actions:
                if next_state > state:
                    columns[next_state] = max(columns[next_state], columns[state] + 1)
    positions = np.zeros((len(process), 2))
    for column in set(columns.values()):
        states = [state for state in process if columns[state] == column]
        for i, state in enumerate(states):
            positions[state] = 1.7 * column, 1.3 * ((len(states) - 1) / 2 - i)
    best_way, reached = set(), [0]
    for state in reached:  # it grows
        sums = {to: reward + discount * values[to] for to, reward in process[state].items()}
        best = [to for to, total in sums.items() if np.isclose(total, max(sums.values()))]
        best_way |= {(state, to) for to in best}
        reached += [to for to in best if to not in reached]
    arrows = [
        (state, to, reward, (state, to) in best_way)
        for state, actions in process.items()
        for to, reward in actions.items()
    ]
    return Graph(positions, values, arrows)


def draw_graph(axes: Axes, drawn: Graph, title: str) -> None:
    """Draws a process: states as circles with values, actions as arrows with rewards, the best path thick."""
    from matplotlib.patches import Circle

    for source, target, reward, is_best in drawn.arrows:
        start, end = drawn.positions[source], drawn.positions[target]
        colour, width = (plots.BLUE, 4.5) if is_best else ("#8A8A8A", 1.6)
        if source == target:  # a loop above its circle
            ends = start + RADIUS * np.array([[-0.75, 0.66], [0.75, 0.66]])
            bend, at = "arc3,rad=-1.9", start + np.array([0, RADIUS + 0.42])
        else:
            step = (end - start) / np.linalg.norm(end - start)
            ends = np.array([start + RADIUS * step, end - (RADIUS + 0.02) * step])
            bend, at = "arc3,rad=0", start + 0.5 * (end - start)
        style = {"arrowstyle": "-|>", "mutation_scale": 24, "color": colour, "linewidth": width}
        style |= {"connectionstyle": bend, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", ends[1], ends[0], arrowprops=style, zorder=2)
        label = axes.text(at[0], at[1], f"{reward:+g}", ha="center", va="center", fontsize=15, zorder=3)
        label.set(weight="bold" if is_best else "normal", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})
    for state, ((x, y), value) in enumerate(zip(drawn.positions, drawn.values, strict=True)):
        axes.add_patch(Circle((x, y), RADIUS, facecolor="#EAF3F9", edgecolor=plots.BLACK, linewidth=1.8, zorder=4))
        axes.text(x, y, str(state), ha="center", va="center", fontsize=17, zorder=5)
        axes.text(x, y - RADIUS - 0.17, f"V = {value:.4g}", ha="center", va="center", fontsize=13, zorder=5)
    low, high = drawn.positions.min(axis=0), drawn.positions.max(axis=0)
    has_loop = any(source == target for source, target, *_ in drawn.arrows)
    axes.set(xlim=(low[0] - 0.6, high[0] + 0.6), ylim=(low[1] - 0.65, high[1] + (1.0 if has_loop else 0.5)))
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=15)
    axes.axis("off")


def action_table(process: Mapping[int, Mapping[int, float]], action_values: np.ndarray, discount: float) -> str:
    """Returns what each action of a process earns, and which is the best, as text.

    Args:
        process: {state: {next state: reward}}.
        action_values: (states, actions), minus infinity where a state has no further action.
        discount: the factor of future rewards.
    """
    values = action_values.max(axis=1)
    rows: list[list[object]] = []
    for state, actions in process.items():
        for action, (to, reward) in enumerate(actions.items()):
            later, total = f"{discount:g} * {values[to]:.6g}", f"{action_values[state, action]:.6g}"
            best = "best" if action == action_values[state].argmax() else ""
            rows.append([state, to, f"{reward:g}", later, total, best])
    return format_table(["state", "to", "reward", "discount * V(to)", "sum", ""], rows)


def way_table(ways: Sequence[tuple[Sequence[int], Sequence[float]]], returns: Sequence[float]) -> str:
    """Returns a table of ways through a process: their states, their rewards and what they return."""
    rows = []
    for (states, rewards), total in zip(ways, returns, strict=True):
        terms = " + ".join(f"{reward:g}" for reward in rewards).replace("+ -", "- ")
        rows.append(["-".join(map(str, states)), terms, f"{total:g}"])
    return format_table(["way", "rewards", "return"], rows)


def sweep_table(sweeps: Sequence[np.ndarray]) -> str:
    """Returns a table of the values of the states after each sweep of value iteration."""
    rows = [[sweep, *(f"{value:g}" for value in values)] for sweep, values in enumerate(sweeps)]
    return format_table(["sweep", *(f"V({state})" for state in range(len(sweeps[0])))], rows)


def processes(panels: Mapping[str, Graph]) -> Figure:
    """Returns a figure of decision processes side by side, by their titles."""
    widths = [float(np.ptp(drawn.positions[:, 0])) + 1.2 for drawn in panels.values()]
    figure, axes = plots.subplots(
        1, len(panels), width=1.75 * sum(widths) / len(panels), height=4.2, gridspec_kw={"width_ratios": widths}
    )
    for panel, (title, drawn) in zip(np.ravel(axes), panels.items(), strict=True):
        draw_graph(panel, drawn, title)
    figure.supxlabel("V: the value of a state; thick: the best path", fontsize=14)
    return figure


# --- Blackjack --------------------------------------------------------------------------------------------------------


def policy_table(action_values: np.ndarray) -> str:
    """Returns where hitting is better than staying, as text: without a usable ace (hard), then with one (soft).

    Args:
        action_values: (usable ace, total, dealer's card, action); the actions are stay and hit.
    """
    tables = []
    for kind, best in zip(("hard", "soft"), action_values.argmax(axis=-1), strict=True):
        rows = [[row + 12, *("-H"[action] for action in best[row])] for row in range(9, -1, -1)]
        tables.append(format_table([kind, *CARDS], rows))
    return "\n\n".join(tables)


def state_name(ace: int, row: int, column: int) -> str:
    """Returns a state of blackjack in words: "hard 12 against 4"."""
    return f"{('hard', 'soft')[ace]} {row + 12} against {'an ace' if column == 0 else CARDS[column]}"


def draw_map(axes: Axes, numbers: np.ndarray, texts: Sequence[Sequence[str]], colours: Any, title: str) -> AxesImage:
    """Draws numbers (10, 10) by the player's total, 12 below to 21 above, and the dealer's card, with their texts."""
    image = axes.imshow(numbers, origin="lower", aspect="auto", **colours)
    for row, column in np.ndindex(numbers.shape):
        shade = image.cmap(image.norm(numbers[row, column]))
        is_dark = np.dot(shade[:3], (0.3, 0.6, 0.1)) < 0.55
        axes.text(
            column,
            row,
            texts[row][column],
            ha="center",
            va="center",
            fontsize=10,
            color="white" if is_dark else plots.BLACK,
        )
    axes.set_xticks(range(10), CARDS)
    axes.set_yticks(range(10), [str(total) for total in range(12, 22)])
    axes.set(xlabel="the dealer's card", ylabel="the player's total", title=title)
    axes.grid(False)
    return image


def values(action_values: Mapping[str, np.ndarray]) -> Figure:
    """Returns a figure of the values of all states, without and with a usable ace.

    Args:
        action_values: for each row of panels its name, and the values (usable ace, total, dealer's card, action).
    """
    figure, axes = plots.subplots(len(action_values), 2, width=6.4, height=4.7)
    for panels, (name, numbers) in zip(axes, action_values.items(), strict=True):
        for panel, kind, state_values in zip(panels, KINDS, numbers.max(axis=-1), strict=True):
            texts = [[f"{value + 0.0:.2f}".replace("0.", ".") for value in row] for row in state_values.round(2)]
            colours = {"cmap": "PuOr", "vmin": -1, "vmax": 1}
            image = draw_map(panel, state_values, texts, colours, f"{name}, {kind}")
            panel.label_outer()
    figure.colorbar(image, ax=list(axes.flat), label="mean reward of a hand, played best", fraction=0.03, pad=0.01)
    return figure


def policy(exact: np.ndarray, learned: np.ndarray) -> Figure:
    """Returns a figure of the better action in all states, and a cross where the learned one is another.

    Args:
        exact, learned: action values (usable ace, total, dealer's card, action); the actions are stay and hit.
    """
    from matplotlib.colors import ListedColormap

    figure, axes = plots.subplots(1, 2, width=6.4, height=4.9)
    colours = {"cmap": ListedColormap(["#F6DFA8", plots.BLUE]), "vmin": 0, "vmax": 1}
    for panel, kind, best, chosen in zip(axes[0], KINDS, exact.argmax(-1), learned.argmax(-1), strict=True):
        draw_map(panel, best, [["SH"[action] for action in row] for row in best], colours, kind)
        rows, columns = np.nonzero(best != chosen)
        label = "Monte Carlo chose the other action" if len(rows) else None
        panel.plot(columns, rows, "x", color=plots.VERMILION, markersize=17, markeredgewidth=3.5, label=label)
        if label:
            panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), frameon=False)
        panel.label_outer()
    figure.suptitle("Blackjack: stay (S) or hit (H)", fontsize=16)
    return figure


def errors(curves: Mapping[str, np.ndarray], close: float) -> Figure:
    """Returns a figure of the errors of the states' values by the hands played.

    Args:
        curves: for each way of learning the hands, the mean and the largest error after each batch (batches, 3).
        close: an error that is drawn as a line.
    """
    figure, axes = plots.subplots(width=9, height=6)
    for (name, curve), colour in zip(curves.items(), (plots.VERMILION, plots.GREEN, plots.BLUE), strict=True):
        n, mean, largest = curve.T
        axes.plot(n, largest, color=colour, label=f"{name}: the largest of 200 states")
        axes.plot(n, mean, color=colour, linestyle="--", label=f"{name}: the mean")
    n = next(iter(curves.values()))[:, 0]
    axes.plot(n, 14 / np.sqrt(n), ":", color="#8A8A8A", label="falls as 1 / sqrt(hands)")
    axes.axhline(close, color=plots.BLACK, linewidth=1.2)
    axes.annotate(f"{close:g}", (n[0], close), (2, 4), textcoords="offset points")
    axes.set(xscale="log", yscale="log", xlabel="hands of the dealer", ylabel="error of a state's value")
    axes.set_title("Monte Carlo against the exact values")
    figure.legend(loc="outside lower center", ncols=2, fontsize=11, frameon=False)
    return figure


# --- The cliff --------------------------------------------------------------------------------------------------------


def draw_cliff(axes: Axes, shade: np.ndarray, title: str) -> AxesImage:
    """Draws the grid of the cliff with a shade (height, width), its cliff dark; returns the shade's image."""
    from matplotlib.patches import Rectangle

    height, width = shade.shape
    image = axes.imshow(shade, cmap="Greys", vmin=0, vmax=max(1.6 * float(shade.max()), 1e-9), aspect="equal")
    axes.add_patch(Rectangle((0.5, height - 1.5), width - 2, 1, color=plots.BLACK, zorder=1.5))
    axes.text((width - 1) / 2, height - 1, "the cliff: -100", color="white", ha="center", va="center", fontsize=14)
    for column, text in ((0, "start"), (width - 1, "goal")):
        axes.text(column, height - 0.7, text, ha="center", va="center", fontsize=12)
    axes.set_xticks(np.arange(width + 1) - 0.5, [])
    axes.set_yticks(np.arange(height + 1) - 0.5, [])
    axes.tick_params(length=0)
    axes.grid(color="#BBBBBB", linewidth=0.8)
    axes.set_title(title, fontsize=14)
    return image


def cliff_ways(paths: Mapping[str, tuple[np.ndarray, Sequence[int]]], height: int, width: int) -> Figure:
    """Returns a figure of paths over the cliff.

    Args:
        paths: for each panel its title, how often each state was visited (states,), and the states of the path.
        height, width: of the grid.
    """
    figure, axes = plots.subplots(len(paths), 1, width=9, height=3.3)
    for panel, (title, (visits, path)), colour in zip(axes.flat, paths.items(), CLIFF_COLOURS.values(), strict=False):
        # The root shows what is visited rarely, too.
        draw_cliff(panel, np.sqrt(visits).reshape(height, width), title)
        rows, columns = np.divmod(path, width)
        panel.plot(columns, rows, color=colour, linewidth=4, marker="o", markersize=7, zorder=3)
    figure.suptitle("Line: the greedy path; shade: the visits during training, in the last episodes", fontsize=14)
    return figure


def cliff_curves(returns: Mapping[str, np.ndarray], name: str, level: float) -> Figure:
    """Returns a figure of learning curves: the mean of all runs, and the band in which the middle half of them lies.

    Args:
        returns: for each rule the return of each episode (runs, episodes).
        name, level: of a line to compare with.
    """
    figure, axes = plots.subplots(width=9.5, height=5.2)
    runs = 0
    for rule, numbers in returns.items():
        smoothed = np.lib.stride_tricks.sliding_window_view(numbers, WINDOW, axis=1).mean(axis=-1)
        runs, episodes = len(numbers), np.arange(WINDOW, numbers.shape[1] + 1)
        colour = CLIFF_COLOURS[rule]
        axes.plot(episodes, smoothed.mean(axis=0), color=colour, label=rule)
        axes.fill_between(episodes, *np.quantile(smoothed, (0.25, 0.75), axis=0), color=colour, alpha=0.2, linewidth=0)
    axes.axhline(level, color=plots.BLACK, linestyle=":", linewidth=1.8, label=f"{name}: {level:.1f}")
    axes.set(xlabel="episode", ylabel="return of an episode", ylim=(-150, 0))
    axes.set_title(f"{runs} runs: mean of {WINDOW} episodes, and the middle half of the runs")
    axes.legend(loc="lower right", fontsize=12)
    return figure


def cliff_learning(
    trails: Mapping[str, tuple[Mapping[int, tuple[Sequence[int], np.ndarray]], np.ndarray]], height: int, width: int
) -> tuple[Figure, Iterator[float]]:
    """Returns a figure and its frames, as `animation.save` takes them: how agents walk, fall and learn.

    Args:
        trails: for each rule, by the episode, the states of its trail and the greedy actions (states,) before it; and
            the returns of all episodes (episodes,).
        height, width: of the grid.
    """
    figure, axes = plots.subplots(len(trails), 1, width=9, height=3.2)
    moves = np.array([(0, -0.3), (0.3, 0), (0, 0.3), (-0.3, 0)])  # up, right, down, left; rows grow downwards
    columns, rows = np.tile(np.arange(width), height), np.arange(height).repeat(width)
    free = (rows < height - 1) | (columns == 0)  # neither the cliff nor the goal

    def frames() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        drawn = []
        for panel, (rule, (by_episode, returns)) in zip(np.ravel(axes), trails.items(), strict=True):
            draw_cliff(panel, np.zeros((height, width)), rule)
            arrows = panel.quiver(
                columns[free],
                rows[free],
                *moves[np.zeros(free.sum(), dtype=int)].T,
                angles="xy",
                scale_units="xy",
                scale=1,
                pivot="mid",
                color="#999999",
                width=0.004,
            )
            (trail,) = panel.plot([], [], color=CLIFF_COLOURS[rule], linewidth=3, alpha=0.8, zorder=3)
            drawn.append((panel, rule, by_episode, returns, arrows, trail))
        episodes = list(drawn[0][2])
        for episode in episodes:
            for panel, rule, by_episode, returns, arrows, trail in drawn:
                states, greedy = by_episode[episode]
                arrows.set_UVC(*moves[greedy[free]].T)
                y, x = np.divmod(np.asarray(states, dtype=float), width)
                # A fall is no move: the line is broken where the agent is back at the start.
                far = np.flatnonzero(np.abs(np.diff(x)) + np.abs(np.diff(y)) > 1) + 1
                falls = round(-(returns[episode - 1] + len(states) - 1) / 99)
                trail.set_data(np.insert(x, far, np.nan), np.insert(y, far, np.nan))
                panel.set_title(f"{rule}, episode {episode}: {returns[episode - 1]:.0f}, falls: {falls}", fontsize=14)
            yield 3.0 if episode == episodes[-1] else 1.2

    return figure, frames()
