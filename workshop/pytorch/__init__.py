"""The lessons in PyTorch: `python -m workshop.pytorch.<lesson>`, each beside the lesson of the same name."""

import os

# PyTorch's threads wait for one another by running in circles, for milliseconds. Where another program takes a core, a
# step then lasts ten times as long. A tenth of a millisecond is enough: then they sleep. GNU's OpenMP reads this when
# it is loaded, and each mirror begins with `import torch`: so it stands here.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")
