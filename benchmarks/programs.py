"""A console program, from the command line to its answer: through the NumPy engine against through Keras.

    python -m benchmarks.programs [--runs 5]

Whole processes, in turn; ratios of time and of peak memory are taken pair by pair. The image is a digit that is
written here, 28x28 pixels.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import measure


def draw_a_seven(path: Path) -> None:
    """Writes an image of a seven."""
    from PIL import Image

    pixels = np.full((28, 28), 255, np.uint8)
    pixels[6:9, 8:20] = 0
    for row in range(9, 23):
        middle = 18 - (row - 9) // 2
        pixels[row, middle - 1 : middle + 2] = 0
    Image.fromarray(pixels).save(path)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="pairs (default: 5)")
    runs = parser.parse_args().runs
    print(measure.machine())
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_a_seven(folder / "seven.png")
        commands = {
            "apps.digit seven.png": ["apps.digit", "seven.png"],
            "apps.admission 45 85": ["apps.admission", "45", "85"],
            "apps.house_price 120 3 10": ["apps.house_price", "120", "3", "10"],
        }
        for title, (program, *given) in commands.items():
            pairs = [
                [measure.run(["-m", program, *given, *engine], folder) for engine in ([], ["--engine", "keras"])]
                for _ in range(runs)
            ]
            outputs = {run.output for pair in pairs for run in pair}
            if len(outputs) != 1:
                raise RuntimeError(f"{title} answers differently: {outputs}")
            seconds = [statistics.median(pair[i].seconds for pair in pairs) for i in (0, 1)]
            memory = [statistics.median(pair[i].megabytes for pair in pairs) for i in (0, 1)]
            ratios = [
                statistics.median(pair[0].seconds / pair[1].seconds for pair in pairs),
                statistics.median(pair[0].megabytes / pair[1].megabytes for pair in pairs),
            ]
            rows.append(
                [
                    title,
                    f"{seconds[0]:.2f} s, {memory[0]:.0f} MB",
                    f"{seconds[1]:.2f} s, {memory[1]:.0f} MB",
                    f"{ratios[0]:.3f} of the time, {ratios[1]:.3f} of the memory",
                    outputs.pop().strip(),
                ]
            )
    print(measure.markdown(["command", "NumPy", "Keras", "ratio (median)", "answer"], rows))


if __name__ == "__main__":
    main()
