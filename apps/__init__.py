"""Console programs: each loads a saved model, asks for or reads its inputs, and prints a prediction.

`python -m apps.NAME --help` says how; the models come from the lessons.
"""

import workshop  # noqa: F401 - watches for files that hide a library
