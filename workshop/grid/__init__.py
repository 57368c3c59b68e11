"""Any lesson's options as a grid: trainings side by side, each a row that is on the disk as soon as it is finished.

`python -m workshop.experiments LESSON --grid NAME=VALUE,VALUE ...` runs one; the ladder of `experiments` is made of
such rows, too.
"""
