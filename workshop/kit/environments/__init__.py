"""Environments in gymnasium's interface: an action in, an observation and a reward out."""
