"""Saved models: the bundle, its card and its safety; the .h5 read and written for every engine."""
