"""Tools that the exercises of all lessons share: an exercise, its check, time limit, comparison, models, progress."""
