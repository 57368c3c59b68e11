"""Keras on PyTorch instead of TensorFlow: every lesson runs, and a run that was stopped is resumed to the same bits.

All of it happens in one other process: Keras takes its backend when it is imported, and that takes seconds.
"""

import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.lesson_runs import IN_PYTORCH, KEYS

from workshop import LESSONS

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")

PROGRAM = """
import importlib, sys
from pathlib import Path
folder, *lessons = sys.argv[1:]
for lesson in lessons:
    print("lesson", lesson)
    small = {"text_generation": ["--units", "16", "--length", "50"]}.get(lesson, [])
    small += ["--size", "32"] if lesson in ("cats_vs_dogs", "transfer_learning") else []
    importlib.import_module(f"workshop.{lesson}").main(["--quick", "--epochs", "1", "--no-plots", "--json", *small])

print("lesson stopped and resumed")
sys.path.insert(0, folder)
from helpers import small_table_network as small
from helpers.lesson_runs import stop_after
from workshop.kit import device
device.prepare(1)
# PyTorch's Dropout knows no generators of its own.
import pytest
with pytest.MonkeyPatch.context() as patch:
    patch.setattr("workshop.kit.training.checkpoint._SECONDS_BETWEEN_CHECKPOINTS", 0)
    whole, resumed = small.build(dropout=0.3), small.build(dropout=0.3)
    expected, _ = small.run("fit", whole)
    small.CHECKPOINT.unlink()
    stop_after(3, patch, lambda: small.run("fit", small.build(dropout=0.3)))
    history, _ = small.run("fit", resumed, resume=True)
print("the same losses", history == expected)
small.assert_same(whole, resumed)
print("the same weights")
"""
NAMES = [lesson.name for lesson in LESSONS if lesson.trains and lesson.name not in IN_PYTORCH]


@pytest.mark.slow
def test_every_lesson_runs_on_the_pytorch_backend_and_is_resumed(room: Path) -> None:
    # One thread: PyTorch's threads wait by turning round, and another worker's run makes them wait for long.
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parents[1]), *NAMES],
        env=os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "on torch" in run.stdout
    assert "on tensorflow" not in run.stdout
    *parts, stopped = re.split(r"^lesson ", run.stdout, flags=re.MULTILINE)[1:]
    assert [part.split()[0] for part in parts] == NAMES
    for part, name in zip(parts, NAMES, strict=True):
        answer = json.loads(part.splitlines()[-1])
        assert set(answer) == KEYS
        assert answer["lesson"] == name
        assert answer["metrics"]
        assert all(isinstance(value, float) and math.isfinite(value) for value in answer["metrics"].values())
        assert any(file.endswith(".h5") for file in answer["files"])
        assert all((room / file).is_file() for file in answer["files"])
    assert "Resumed   after epoch 3 of 12" in stopped
    assert "the same losses True\nthe same weights" in stopped
