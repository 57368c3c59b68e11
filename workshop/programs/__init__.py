"""Shared parts of the console programs in `apps`: options, numbers, images, and the choice of an engine."""
