"""The lessons in PyTorch: `python -m workshop.pytorch.<lesson>`, each beside the lesson of the same name."""
