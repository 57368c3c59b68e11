"""Refusals that no single lesson owns: sizes of photos at the limit, and a forged checkpoint."""

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
