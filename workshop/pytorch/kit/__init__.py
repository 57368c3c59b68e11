"""What the mirrors in PyTorch share.

The modules below are imported at their first use, so that `--help` answers before PyTorch is loaded.
"""

from typing import Any

from workshop.kit.lazy import LazyModule

device: Any = LazyModule("workshop.pytorch.kit.device")
image_layers: Any = LazyModule("workshop.pytorch.kit.image_layers")
layers: Any = LazyModule("workshop.pytorch.kit.layers")
layout: Any = LazyModule("workshop.pytorch.kit.layout")
photos: Any = LazyModule("workshop.pytorch.kit.photos")
training: Any = LazyModule("workshop.pytorch.kit.training")
