"""The lessons in PyTorch: `python -m workshop.pytorch.<lesson>`, each beside the lesson of the same name.

`kit` is imported at its first use, so that `--help` answers before PyTorch is loaded.
"""

from typing import Any

from workshop.kit.lazy import LazyModule

kit: Any = LazyModule("workshop.pytorch.kit")
