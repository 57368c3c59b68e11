"""Keras' own settings file, as an older Keras left it: the lessons run all the same, or say which file to correct."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workshop.doctor import machine

SHOW = """
import gc, importlib.util, sys
from workshop.kit.lazy import keras
print(keras.config.backend(), keras.config.image_data_format(), keras.config.floatx())
print("jax" in sys.modules, importlib.util.find_spec("jax") is not None)
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
"""


def run(folder: Path, content: str, code: str) -> subprocess.CompletedProcess[str]:
    """Runs Python with this text as Keras' settings."""
    (folder / "keras.json").write_text(content, "utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment["KERAS_HOME"] = str(folder)
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize(
    "settings",
    [
        {"image_dim_ordering": "th", "epsilon": 1e-07, "floatx": "float32", "backend": "theano"},
        pytest.param(
            {"floatx": "float64", "epsilon": 1e-07, "backend": "tensorflow", "image_data_format": "channels_first"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_an_old_keras_left_changes_nothing(settings: dict[str, object], tmp_path: Path) -> None:
    done = run(tmp_path, json.dumps(settings), SHOW)
    # JAX, where it is installed, is not imported with TensorFlow, and can be afterwards.
    has_jax = importlib.util.find_spec("jax") is not None
    said = f"tensorflow channels_last float32\nFalse {has_jax}\n"
    # Garbage is looked for, but not among what was imported.
    assert (done.stdout, done.stderr) == (f"{said}True True\n", "")


def test_settings_that_keras_refuses_are_named_in_a_line(tmp_path: Path) -> None:
    code = "import workshop.xor, workshop.kit.cli as cli; cli.run(lambda: workshop.xor.main(['--quick']))"
    done = run(tmp_path, json.dumps({"floatx": "float128"}), code)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()[-1:]
    assert line.startswith(f"error: Keras refuses its settings in {tmp_path / 'keras.json'} (Invalid `floatx`")
    assert "Traceback" not in done.stderr


def test_the_doctor_says_that_they_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert list(machine.check_keras_settings()) == []
    path = tmp_path / "keras.json"
    path.write_text('{"backend": "theano", "image_data_format": "channels_first", "floatx": "float32"}')
    (note,) = machine.check_keras_settings()
    text = f"{path} has backend theano, image_data_format channels_first: the lessons do not follow it"
    assert note == ("NOTE", text)
    path.write_text("{")
    (note,) = machine.check_keras_settings()
    assert note == ("NOTE", f"{path} cannot be read as Keras' settings: the lessons do without it")
