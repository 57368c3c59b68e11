"""What the exercises of all lessons share: an exercise and its check, the time limit, the comparison, models as judges see them, the progress."""
