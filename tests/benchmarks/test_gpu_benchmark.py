"""A GPU: TensorFlow's memory of it, and the benchmark of four lessons, its table, and what it does without one."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import gpu
from workshop.kit import device
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import tensorflow

HEADINGS = "| lesson | engine | reaches | NVIDIA X, float32 | NVIDIA X, mixed | {} CPU cores, float32 |"


# Runs `benchmarks.gpu --one` as it starts itself, for an epoch alone: 16 bits take a processor long.
SHORT = """
import sys
from benchmarks import gpu
for lesson, (options, _) in gpu.NETWORKS.items():
    options += ["--epochs", "1"] + (["--size", "32"] if lesson == "cats_vs_dogs" else [])
gpu.main(sys.argv[1:])
"""


def a_row(place: str, precision: str, seconds: str, value: str, lesson: str = "mnist") -> dict[str, str]:
    values = ("NVIDIA X", lesson, "torch", place, precision, "False", seconds, "accuracy", value, "MNIST")
    return dict(zip(gpu.COLUMNS, values, strict=True))


def a_machine(monkeypatch: pytest.MonkeyPatch, **seen: str) -> gpu.Machine:
    """Returns the machine whose libraries see these GPUs."""
    monkeypatch.setattr(gpu, "_look", lambda library: seen.get(library, ""))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return gpu.find_machine(cpu_only=False)


def test_without_a_gpu_it_says_so_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkshopError, match=r"^no GPU: .*tensorflow.* found none .*--cpu-only measures the processor"):
        a_machine(monkeypatch)


def test_keras_runs_on_the_library_that_has_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    both = a_machine(monkeypatch, torch="NVIDIA X", tensorflow="NVIDIA X")
    assert both[:3] == ("NVIDIA X", "tensorflow", ("torch", "keras"))
    only_torch = a_machine(monkeypatch, torch="NVIDIA X")
    assert only_torch[:3] == ("NVIDIA X", "torch", ("torch", "keras"))
    only_tensorflow = a_machine(monkeypatch, tensorflow="NVIDIA X")
    assert only_tensorflow[:3] == ("NVIDIA X", "tensorflow", ("keras",))
    assert both.places == (("gpu", "float32"), ("gpu", "mixed"), ("cpu", "float32"))


def test_the_table_names_the_device_and_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    machine = gpu.Machine("NVIDIA X", "torch", ("torch", "keras"), gpu.PLACES)
    rows = [a_row("gpu", "float32", "2.00", "0.9912"), a_row("gpu", "mixed", "1.25", "0.9905")]
    rows += [a_row("cpu", "float32", "30.00", "0.9910"), a_row("gpu", "float32", "", "", "rnn")]
    headings, _, mnist, rnn = gpu.table(machine, rows).splitlines()
    assert headings == HEADINGS.format(16) + " GPU against CPU | mixed against float32 |"
    measured = "2.0 s; 0.9912 | 1.2 s; 0.9905 | 30.0 s; 0.9910 | 15.0 times as fast | 1.6 times as fast |"
    assert mnist == f"| `mnist` | PyTorch | accuracy | {measured}"
    assert rnn == "| `rnn` | PyTorch | accuracy | too long |  |  |  |  |"


@pytest.mark.slow
def test_a_run_on_the_processor_is_a_row_and_is_not_made_again(
    room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--cpu-only", "--quick", "--engines", "torch", "--lessons", "mnist"]
    gpu.main(options)
    *_, first, headings, _, line = capsys.readouterr().out.splitlines()
    assert first.startswith("mnist, torch, cpu, float32: ")
    assert headings.startswith("| lesson | engine | reaches | ") and headings.endswith(" CPU cores, float32 |")
    assert line.startswith("| `mnist` | PyTorch | test accuracy | ") and line.count("|") == 5
    seconds, _, accuracy = line.split("|")[4].partition(" s; ")
    assert 0 < float(seconds) < 100 and float(accuracy) > 0.9
    # A row that was cut off is left out, and made again.
    kept = (room / "gpu.csv").read_text("utf-8")
    (room / "gpu.csv").write_text(kept + kept.splitlines()[1][:30], "utf-8")
    monkeypatch.setattr(gpu, "start", lambda *_: pytest.fail("it is there"))
    gpu.main(options)
    assert capsys.readouterr().out.splitlines()[-1] == line


def test_tensorflow_takes_the_memory_of_a_gpu_as_it_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [SimpleNamespace(name="GPU:0"), SimpleNamespace(name="GPU:1")]
    growing: list[str] = []

    def grow(card: SimpleNamespace, enable: bool) -> None:
        if growing:
            raise RuntimeError("in use")  # by the lesson before it
        growing.append(f"{card.name} {enable}")

    def details(card: SimpleNamespace) -> dict[str, str]:
        return {"device_name": "NVIDIA X"} if card.name == "GPU:0" else {}

    monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda kind: cards if kind == "GPU" else [])
    monkeypatch.setattr(tensorflow.config.experimental, "set_memory_growth", grow)
    monkeypatch.setattr(tensorflow.config.experimental, "get_device_details", details)
    assert device._tensorflow_gpus() == ["NVIDIA X", "GPU:1"]
    assert growing == ["GPU:0 True"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["torch", "keras"])
def test_every_lesson_is_measured_in_16_bits(
    engine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # In 32 bits these are the lessons' quick runs, which their own tests have.
    machine = gpu.Machine("a processor", "tensorflow", (engine,), (("cpu", "mixed"),))
    monkeypatch.setattr(gpu, "find_machine", lambda _: machine)
    run = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda command, **given: run([command[0], "-c", SHORT, *command[3:]], **given)
    )
    gpu.main(["--cpu-only", "--quick", "--limit", "200", "--total", "800"])
    output = capsys.readouterr().out
    lines = [line for line in output.splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in lines] == list(gpu.NETWORKS)
    assert all(line.count(" s; ") == 1 for line in lines), output
