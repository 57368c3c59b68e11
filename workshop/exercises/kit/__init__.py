"""What the exercises of all lessons share: an exercise and its check, time limit, comparison, Keras models, progress."""
