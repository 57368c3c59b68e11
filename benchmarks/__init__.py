"""What the figures in the README are measured with. Each module prints a table: `python -m benchmarks.lessons`."""
