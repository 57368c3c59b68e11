"""Derivatives that nobody has written down: dual numbers and a tape."""
