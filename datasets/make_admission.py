"""Makes the table of exam scores and admissions, admission.csv, beside this file.

    python datasets/make_admission.py

One hundred invented applicants with two scores each. Both exams count, and a weak one is not made up for by a strong
one, so the boundary is a curve: a straight line cannot part the two classes. Every run writes the same bytes.
"""

import argparse
import random
from pathlib import Path

ROWS = 100
SEED = 28
LOWEST, HIGHEST = 30.0, 100.0  # points
# Admitted is who has this product of the points above the lowest score, or more. A row between the two numbers is
# drawn again, so that nobody is admitted or refused by a hair.
ADMITTED, REFUSED = 650, 550


def make_rows() -> list[tuple[float, float, int]]:
    """Returns the rows: exam 1 and exam 2 in points, one decimal, and 1 for admitted or 0."""
    # Python promises that random() gives the same numbers in every version; it promises that for no other distribution.
    generator = random.Random(SEED)
    rows: list[tuple[float, float, int]] = []
    while len(rows) < ROWS:
        first, second = (round(LOWEST + (HIGHEST - LOWEST) * generator.random(), 1) for _ in range(2))
        product = (first - LOWEST) * (second - LOWEST)
        if product <= REFUSED or product >= ADMITTED:
            rows.append((first, second, int(product >= ADMITTED)))
    return rows


def main() -> None:
    """Writes the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    lines = ["exam_1_points,exam_2_points,admitted", *(f"{a:.1f},{b:.1f},{admitted}" for a, b, admitted in make_rows())]
    path = Path(__file__).resolve().with_name("admission.csv")
    path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    print(f"{path.name}: {ROWS} rows")


if __name__ == "__main__":
    main()
