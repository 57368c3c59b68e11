"""Automatic differentiation: dual numbers and a tape."""
