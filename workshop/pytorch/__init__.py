"""The lessons in PyTorch: `python -m workshop.pytorch.<lesson>`, each beside the lesson of the same name.

The modules below are imported at their first use, so that `--help` answers before PyTorch is loaded.
"""

from typing import Any

from workshop.kit.lazy import LazyModule

device: Any = LazyModule("workshop.pytorch.device")
image_layers: Any = LazyModule("workshop.pytorch.image_layers")
layers: Any = LazyModule("workshop.pytorch.layers")
layout: Any = LazyModule("workshop.pytorch.layout")
photos: Any = LazyModule("workshop.pytorch.photos")
training: Any = LazyModule("workshop.pytorch.training")
