"""One training that two processes of this machine share: the same loss as in one, a lost process, and resuming."""

import contextlib
import importlib.util
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.engines import one_thread
from helpers.one_of_several import remember
from torch import nn

from workshop.kit import processes, training
from workshop.kit.errors import WorkshopError
from workshop.kit.training import batching
from workshop.pytorch.kit import device, distributed
from workshop.pytorch.kit.model import TorchModel
from workshop.scratch.nn.cells import LSTM
from workshop.scratch.nn.network import Network

pytestmark = pytest.mark.skipif(os.name == "nt", reason="starts and kills processes as Unix does")
needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")

PROGRAM = str(Path(__file__).parents[1] / "helpers" / "one_of_several.py")
OPTIONS = ("--quick", "--no-plots", "--json")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def variables(engine: str, index: int, count: int, port: int) -> dict[str, str]:
    """Returns the variables of one process; OpenMP gets a thread, as torchrun has it."""
    if engine == "torch":
        shared = {"RANK": str(index), "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
        return shared | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    names = {"JOB_ADDRESSES": f"127.0.0.1:{port}", "NUM_PROCESSES": str(count), "PROCESS_ID": str(index)}
    return {"KERAS_BACKEND": "jax"} | {f"KERAS_DISTRIBUTION_{name}": value for name, value in names.items()}


@contextlib.contextmanager
def started(engine: str, count: int, *options: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Starts the processes of one training in folders 0, 1 ..., models in `models`; none outlives the block."""
    port, running = free_port(), []
    try:
        for i in range(count):
            command = [sys.executable, PROGRAM, engine, f"history-{i}.json", *options]
            environment = os.environ | variables(engine, i, count, port)
            running.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                )
            )
        yield running
    finally:
        for process in running:
            process.kill()
            process.communicate()


def run(engine: str, count: int, *options: str, timeout: float = 250) -> list[tuple[str, str]]:
    """Runs one training in so many processes; returns what each printed on its two streams."""
    with started(engine, count, *OPTIONS, *options) as running:
        said = [process.communicate(timeout=timeout) for process in running]
        assert [process.returncode for process in running] == [0] * count, said
    return said


def run_alone(engine: str, *options: str) -> str:
    """Runs the training in one process: that of PyTorch in this one."""
    if engine == "keras":
        return run(engine, 1, *options)[0][0]
    with contextlib.redirect_stdout(io.StringIO()) as output, one_thread():
        remember(engine, "history-0.json", *OPTIONS, *options)
    return output.getvalue()


def losses(index: int = 0) -> list[float]:
    """Returns the mean losses of the epochs that a process wrote down, of all networks that it trained."""
    histories = json.loads(Path(f"history-{index}.json").read_text("utf-8"))
    return [loss for history in histories for loss in history["loss"]]


def weights(folder: str) -> list[np.ndarray]:
    """Returns the weights of all models in a folder."""
    models = [TorchModel.from_h5(path) for path in sorted(Path(folder).glob("*.h5"))]
    return [array for model in models for array in model.get_weights()]


def train_in_one_and_in_two(engine: str, *options: str) -> None:
    alone = run_alone(engine, "--models", "alone", *options)
    expected = losses()
    (first, errors), second = run(engine, 2, "--models", "shared", *options)
    assert "each batch shared by 2 processes" in first
    assert errors == "" and second == ("", "")  # the first one alone speaks
    for index in (0, 1):
        np.testing.assert_allclose(losses(index), expected, rtol=0, atol=1e-5)
    one, two = (json.loads(said.splitlines()[-1])["metrics"] for said in (alone, first))
    assert one == pytest.approx(two, abs=1e-6) and one
    for array, other in zip(weights("alone"), weights("shared"), strict=True):
        np.testing.assert_allclose(other, array, rtol=0, atol=1e-4)
    assert not [*Path("shared").glob("*.npz")]


def test_two_processes_of_pytorch_train_the_network_of_one() -> None:
    # Of 1,000 images the last batch has 10.
    train_in_one_and_in_two("torch", "--model", "cnn", "--filters", "8", "--epochs", "2", "--batch-size", "66")


@pytest.mark.slow
def test_pytorchs_last_batch_may_be_odd() -> None:
    train_in_one_and_in_two("torch", "--model", "dense", "--epochs", "3", "--batch-size", "74")  # 37 are left


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_jax
def test_two_processes_of_keras_on_jax_train_the_networks_of_one() -> None:
    train_in_one_and_in_two("keras", "--epochs", "2")  # the dense one, and the CNN


def lose_one(engine: str, victim: int, *options: str) -> None:
    """Starts a training, kills one of its two processes when an epoch was written, and sees the other one end."""

    def written() -> list[int]:
        return [path.stat().st_mtime_ns for path in Path("killed").glob("*.npz")]

    before = written()
    with started(engine, 2, *OPTIONS, "--models", "killed", *options) as running:
        deadline = time.monotonic() + 200
        while written() in ([], before):
            assert time.monotonic() < deadline and all(one.poll() is None for one in running)
            time.sleep(0.05)
        running[victim].kill()
        other = running[1 - victim]
        _, said = other.communicate(timeout=40)
    assert other.returncode == 2
    assert said.startswith("error: one of the 2 processes that share this training ended") and said.count("\n") == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("torch", ("--model", "cnn", "--filters", "8", "--epochs", "12")),
        pytest.param("keras", ("--model", "dense", "--epochs", "20"), marks=needs_jax),
    ],
    ids=["torch", "jax"],
)
def test_a_lost_process_ends_the_other_and_the_training_goes_on(engine: str, options: tuple[str, ...]) -> None:
    run(engine, 2, "--models", "whole", *options)
    expected = losses()
    lose_one(engine, 1, *options)
    lose_one(engine, 0, "--resume", *options)
    (first, _), _ = run(engine, 2, "--models", "killed", "--resume", *options)
    assert "Resumed   after epoch" in first
    assert losses() == expected  # to the same bits
    (name,) = (path.name for path in Path("whole").glob("*.h5"))
    assert Path("killed", name).read_bytes() == Path("whole", name).read_bytes()
    assert not [*Path("killed").glob("*.npz")]


@pytest.mark.slow
def test_torchrun_starts_the_processes_and_ends_them() -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "workshop.pytorch.mnist", *OPTIONS, "--model", "dense"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Engine    PyTorch") == 1 and "each batch shared by 2 processes" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["metrics"]["test_accuracy"] > 0.9
    refused = subprocess.run([*command, "--batch-size", "33"], capture_output=True, text=True, timeout=200)
    assert refused.returncode == 1  # torchrun's own, with a page of its own below
    assert "error: --batch-size: got 33, which 2 cannot share evenly: take 34\n" in refused.stderr


# --- The parts of a batch ---------------------------------------------------------------------------------------------

X = np.arange(21, dtype=np.float32)
BATCHES = [X[batching.epoch_order(21, 1, 0)[i : i + 8]] for i in (0, 8, 16)]  # the last one has 5


def test_pytorchs_batches_are_divided_and_an_odd_one_goes_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for index in (0, 1):
        monkeypatch.setattr(processes, "_share", processes._Share(index, 2))
        parts = [X[rows].tolist() for rows in distributed.SharedBatches(21, 8, seed=1)]
        own = slice(4 * index, 4 * index + 4)
        assert parts == [BATCHES[0][own].tolist(), BATCHES[1][own].tolist(), BATCHES[2].tolist()]
    with pytest.raises(WorkshopError, match="--batch-size: got 7, which 2 cannot share evenly: take 8"):
        distributed.SharedBatches(21, 7, seed=1)


@pytest.mark.parametrize(
    ("count", "here", "cores"),
    [
        (1, None, 8),
        (1, "2", 8),  # a cluster's variable, of a training in one process
        (2, "2", 4),
        (3, "3", 2),
        (16, "16", 1),
        (2, None, 8),  # nothing says that the other one is on this machine
    ],
)
def test_pytorchs_processes_share_the_cores_of_their_machine(
    count: int, here: str | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {*range(8)}, raising=False)
    monkeypatch.setattr(processes, "_share", processes._Share(0, count))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if here is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", here)
    network = TorchModel(nn.Linear(500, 400), (500,)).architecture
    assert device.choose_threads(network, batch_size=1000) == cores
    assert device.choose_threads(network, batch_size=100) == 1  # the step is over before another core has begun
    recurrent = Network([LSTM(200)], (300, 100), seed=1).architecture
    assert device.choose_threads(recurrent, batch_size=1000) == 1  # its steps are many, and small


@pytest.mark.parametrize(
    ("here", "gpus", "taken", "way"),
    [
        ({"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}, 2, [0], "cpu:gloo,cuda:nccl"),
        ({"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}, 2, [1], "cpu:gloo,cuda:nccl"),
        ({"LOCAL_RANK": "2", "LOCAL_WORLD_SIZE": "3"}, 2, [0], "gloo"),  # which it shares with the first process
        ({"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}, 0, [], "gloo"),
        # Started without torchrun, one on each machine.
        ({}, 2, [0], "cpu:gloo,cuda:nccl"),
        ({}, 1, [0], "cpu:gloo,cuda:nccl"),
        ({}, 0, [], "gloo"),
    ],
)
def test_pytorchs_processes_take_a_gpu_each_as_far_as_there_are_enough(
    here: dict[str, str], gpus: int, taken: list[int], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in here.items():
        monkeypatch.setenv(name, value)
    devices: list[int] = []
    ways: list[str] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", devices.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda way, timeout: ways.append(way))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(processes, "_share", processes._Share(0, 2))
    assert distributed.join() == "each batch shared by 2 processes"
    assert (devices, ways) == (taken, [way])


def test_pytorchs_processes_that_are_not_told_where_to_meet_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(processes, "_share", processes._Share(0, 2))
    with pytest.raises(WorkshopError, match=r"the processes of this training did not find one another: .*MASTER_ADDR"):
        distributed.join()


def test_keras_batches_are_divided_and_an_odd_one_goes_to_each_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for index in (0, 1):
        monkeypatch.setattr(processes, "_share", processes._Share(index, 2, copies=2))
        batches = training.shuffled_batches(X, X, batch_size=8, seed=1)
        parts = [inputs.numpy().tolist() for inputs, _ in batches]
        own = slice(4 * index, 4 * index + 4)
        assert parts == [BATCHES[0][own].tolist(), BATCHES[1][own].tolist(), BATCHES[2].tolist() * 2]
    with pytest.raises(WorkshopError, match="--batch-size: got 6, which 4 cannot share evenly: take 8"):
        training.shuffled_batches(X, X, batch_size=6, seed=1)


@pytest.mark.parametrize(
    ("error", "is_lost"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:538] Read error [127.0.0.1]:257: Connection reset by peer"), True),
        (ValueError("UNKNOWN: Gloo AllGather failed: Read error"), True),
        (RuntimeError("NCCL communicator was aborted on rank 1"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (WorkshopError("the coordination service"), False),
    ],
)
def test_an_error_of_a_lost_process_is_told_from_others(
    error: Exception, is_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not processes.is_lost(error)
    monkeypatch.setattr(processes, "_share", processes._Share(0, 2))
    assert processes.is_lost(error) == is_lost


SUPERVISED = """
import os, sys
from workshop.kit import processes
if "WORKSHOP_SUPERVISED" not in os.environ:
    processes._supervise()
sys.stderr.write(sys.argv[1])
raise SystemExit(2)
"""
LOST = "error: one of the 2 processes that share this training ended\n"
NOTICE = "W1128 03:24:01.5 7 client.cc:9] Failed to poll: UNAVAILABLE: Socket closed\n"
PAGE = "Additional GRPC error information while calling /tensorflow.CoordinationService/PollForError:\n"
PAGE += ':UNKNOWN:Error received from peer  {grpc_message:"Socket closed", grpc_status:14}\n\n'


@pytest.mark.parametrize("said", [NOTICE + PAGE + LOST, LOST + PAGE, LOST + NOTICE + PAGE, LOST + "F1128 the end\n"])
def test_what_cpp_says_of_a_lost_process_is_kept_from_the_screen(said: str) -> None:
    done = subprocess.run([sys.executable, "-c", SUPERVISED, said], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, LOST)


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def alone_again() -> Iterator[None]:
    yield
    processes.begin("numpy")


@pytest.mark.parametrize(
    ("engine", "index", "count", "message"),
    [
        ("torch", "0", "2", "WORLD_SIZE=2: this lesson trains in one process, mnist in several"),
        ("torch", "2", "2", "RANK: got 2, 2 processes have the numbers 0 to 1"),
        ("torch", "one", "2", "the environment variable RANK is 'one', it takes a whole number"),
        ("keras", "0", "0", "KERAS_DISTRIBUTION_NUM_PROCESSES is '0', it takes a whole number from 1 up"),
        ("keras", "", "2", "KERAS_DISTRIBUTION_PROCESS_ID is '', it takes a whole number from 0 up"),
        ("keras", "0", "3", "KERAS_DISTRIBUTION_NUM_PROCESSES=3: this lesson trains in one process"),
    ],
)
@pytest.mark.usefixtures("alone_again")
def test_what_cannot_be_shared_is_refused(
    engine: str, index: str, count: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = processes.VARIABLES[engine]
    for name, value in zip(names, (count, index), strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(WorkshopError, match=message):
        processes.begin(engine)
    monkeypatch.setenv(names[0], "1")
    monkeypatch.setenv(names[1], "0")
    processes.begin(engine)
    assert processes.count() == 1 and processes.is_first()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"KERAS_BACKEND": "tensorflow"}, "error: Keras runs on tensorflow: several processes share a training on JAX"),
        ({"KERAS_DISTRIBUTION_JOB_ADDRESSES": "here"}, "JOB_ADDRESSES is 'here', it takes HOST:PORT of the first"),
    ],
    ids=["backend", "address"],
)
def test_keras_says_what_is_missing(changed: dict[str, str], message: str) -> None:
    command = [sys.executable, "-m", "workshop.mnist", *OPTIONS]
    environment = os.environ | variables("keras", 0, 2, free_port()) | changed
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
