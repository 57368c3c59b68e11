"""The plots and tables of the lessons, a module each: arrays in, a figure or a text out."""
