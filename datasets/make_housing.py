"""Makes the two tables of house prices, houses.csv and housing.csv, beside this file.

    python datasets/make_housing.py

houses.csv holds eight houses with one number each, their size. housing.csv holds 156 invented houses with area,
bedrooms and age: numbers in very different ranges, which is why features are scaled. Every run writes the same bytes.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

HOUSES = ((0.2, 0.2), (1, 1.8), (2, 4), (3, 7), (5, 11), (7, 12), (9, 14), (10, 13))  # 10 m2, 10,000 pesos
ROWS = 156
SEED = 156
AREA = (22, 300)  # m2
BEDROOMS = (1, 5)
AGE = (1, 115)  # years
# The price in 1,000 pesos: so much for any house, for each m2, for each bedroom, for each year, and the scatter.
BASE, PER_M2, PER_BEDROOM, PER_YEAR, SCATTER = 900, 12, 80, -6, 200


def stretch(values: Sequence[float], ends: tuple[int, int]) -> list[int]:
    """Returns the values as whole numbers, stretched so that the smallest and the largest are `ends`."""
    low, high = min(values), max(values)
    return [round(ends[0] + (value - low) / (high - low) * (ends[1] - ends[0])) for value in values]


def nearly_normal(generator: random.Random) -> float:
    """Returns a number of mean 0 and standard deviation 1: the sum of twelve uniform ones, less 6.

    Python promises that random() gives the same numbers in every version; it promises that for no other distribution.
    """
    return sum(generator.random() for _ in range(12)) - 6


def make_housing() -> list[tuple[int, int, int, int]]:
    """Returns the rows of housing.csv: area, bedrooms, age, price."""
    generator = random.Random(SEED)
    # Most houses are small and young, and large ones have more bedrooms.
    areas = stretch([generator.random() ** 1.5 for _ in range(ROWS)], AREA)
    ages = stretch([generator.random() ** 1.8 for _ in range(ROWS)], AGE)
    rows = []
    for area, age in zip(areas, ages, strict=True):
        bedrooms = min(max(round(0.9 + area / 75 + 0.8 * nearly_normal(generator)), BEDROOMS[0]), BEDROOMS[1])
        price = BASE + PER_M2 * area + PER_BEDROOM * bedrooms + PER_YEAR * age + SCATTER * nearly_normal(generator)
        rows.append((area, bedrooms, age, round(price)))
    return rows


def write_table(path: Path, names: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    """Writes a CSV file: a header line, then the rows."""
    lines = [names, *([str(cell) for cell in row] for row in rows)]
    path.write_text("".join(",".join(line) + "\n" for line in lines), encoding="ascii", newline="\n")
    print(f"{path.name}: {len(rows)} rows")


def main() -> None:
    """Writes both tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    folder = Path(__file__).resolve().parent
    write_table(folder / "houses.csv", ["size_10_m2", "price_10000_pesos"], HOUSES)
    write_table(folder / "housing.csv", ["area_m2", "bedrooms", "age_years", "price_1000_pesos"], make_housing())


if __name__ == "__main__":
    main()
