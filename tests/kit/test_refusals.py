"""Refusals that no single lesson owns: sizes of photos at the limit, and forged checkpoints and weights."""

import importlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.lesson_runs import start, stop_after

from workshop import xor
from workshop.kit import files
from workshop.kit.errors import WorkshopError


@pytest.mark.parametrize("engine", ["workshop", "workshop.pytorch"])
@pytest.mark.parametrize("lesson", ["cats_vs_dogs", "transfer_learning"])
def test_photos_of_512_pixels_are_taken_and_larger_ones_refused(
    engine: str, lesson: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    main = importlib.import_module(f"{engine}.{lesson}").main
    # Past the options the run ends at the data.
    with pytest.raises(WorkshopError, match="missing is not there"):
        main(["--size", "512", "--data", "missing", "--no-plots"])
    with pytest.raises(SystemExit):
        main(["--size", "513", "--data", "missing", "--no-plots"])
    assert "--size: got 513, takes 32 to 512" in capsys.readouterr().err


class Touch:
    """Unpickled, it writes the file "executed"."""

    def __reduce__(self) -> Any:
        return os.system, ("touch executed",)


def test_a_forged_checkpoint_runs_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    write = files.write_atomically

    def write_and_stop(path: files.FilePath, content: bytes) -> None:
        write(path, content)
        if "checkpoint" in Path(path).name:
            raise KeyboardInterrupt

    options = ["--models", "models", "--no-plots"]
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(files, "write_atomically", write_and_stop)
        xor.main(options)
    checkpoint = Path("models/xor-checkpoint.npz")
    with np.load(checkpoint) as archive:
        names = archive.files
    np.savez(checkpoint, **{name: np.array([Touch()], object) for name in names})  # type: ignore[arg-type]
    with pytest.raises(WorkshopError, match=r"xor-checkpoint\.npz is not a checkpoint: delete it"):
        xor.main([*options, "--resume"])
    assert not Path("executed").exists()
    np.load(checkpoint, allow_pickle=True)[names[0]]
    assert Path("executed").exists()  # the payload works where it is trusted


# Each writes its checkpoints in a way of its own; the other lessons that train in PyTorch do as the first.
TRAINED_IN_PYTORCH = {
    "xor": (),
    "boltzmann": ("--part", "machine", "--epochs", "2", "--hidden-units", "8"),
    "deep_q_network": ("--part", "network", "--epochs", "2"),
    "policy_gradient": ("--part", "car"),
}


@pytest.mark.usefixtures("alone")
@pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")  # of Box2D's types
@pytest.mark.parametrize("lesson", TRAINED_IN_PYTORCH)
def test_a_forged_state_of_pytorch_runs_no_code(lesson: str, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    module = importlib.import_module(f"workshop.pytorch.{lesson}")
    options = ["--quick", "--no-plots", *TRAINED_IN_PYTORCH[lesson]]
    stop_after(1, monkeypatch, lambda: start(module, room, *options))
    (checkpoint,) = (room / "models").glob("*checkpoint.npz")
    with np.load(checkpoint) as archive:
        arrays = dict(archive)
    (name,) = (key for key in arrays if key.rpartition("/")[2] == "torch")
    content = io.BytesIO()
    torch.save(Touch(), content)
    np.savez(checkpoint, **arrays | {name: np.frombuffer(content.getvalue(), np.uint8)})
    with pytest.raises(WorkshopError, match="is not a checkpoint: delete it"):
        start(module, room, "--resume", *options)
    assert not Path("executed").exists()
    torch.load(io.BytesIO(content.getvalue()), weights_only=False)
    assert Path("executed").exists()  # the payload works where it is trusted


def test_forged_weights_run_no_code() -> None:
    torch = pytest.importorskip("torch")
    from workshop import banknotes, pytorch_basics

    torch.save(Touch(), "forged.pth")
    with pytest.raises(WorkshopError, match=r"forged\.pth is not the state_dict of ResNet18"):
        banknotes.resnet18("forged.pth")
    net = pytorch_basics.make_net()
    with pytest.raises(pickle.UnpicklingError):
        pytorch_basics.load_checkpoint("forged.pth", net, pytorch_basics.make_optimizer(net))
    assert not Path("executed").exists()
    torch.load("forged.pth", weights_only=False)
    assert Path("executed").exists()
