"""The lessons in PyTorch: `python -m workshop.pytorch.<lesson>`, each beside the lesson of the same name."""

import importlib.util
import os
import sys

from workshop.kit.lazy import not_installed

# PyTorch's threads wait for one another by running in circles, for milliseconds. Where another program takes a core, a
# step then lasts ten times as long. A tenth of a millisecond is enough: then they sleep. GNU's OpenMP reads this when
# it is loaded, and each mirror begins with `import torch`: so it stands here.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

# While Python imports a mirror for `python -m workshop.pytorch.<lesson>`, nothing of it can catch what is missing.
if importlib.util.find_spec("torch") is None and sys.argv[:1] == ["-m"]:
    print(f"error: {not_installed('torch')}", file=sys.stderr)
    raise SystemExit(2)
