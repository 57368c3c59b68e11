"""Measurements of the README's numbers. Each module prints a table: `python -m benchmarks.lessons`."""
