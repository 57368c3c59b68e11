"""The lessons in NumPy: `python -m workshop.scratch.<lesson>`, on the engine in `nn`; `autograd` finds derivatives."""
