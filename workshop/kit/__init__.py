"""Tools that lessons share. The kit knows no lesson: arrows point from the lessons to the kit."""
