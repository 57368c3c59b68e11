"""Console programs: each loads a saved model, asks or reads what it needs, and answers in one line.

`python -m apps.NAME --help` says how; the models come from the lessons.
"""
