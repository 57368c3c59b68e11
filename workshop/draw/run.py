"""A page in the browser: one draws a digit, and sees at once what the network sees and predicts, layer by layer.

python -m workshop draw                                  # then open the address that it prints; Ctrl-C ends it
python -m workshop draw --model fashion_mnist_cnn        # garments, or any model of digits or garments of your own
python -m workshop draw --host 0.0.0.0 --port 8000       # for a whole room: others open http://YOUR-MACHINE:8000

The probabilities of Keras, PyTorch and NumPy stand side by side, with the output of each layer and Grad-CAM, the part
of the drawing that speaks for the class. An image can be opened, too. Another tab trains a small network on XOR or two
moons while one watches its decision boundary move. The page asks nothing of the world outside: it needs no network.

In a notebook, on Colab too, the page stands below the cell; the same cell run again puts a new one in its place:

    from workshop.draw import run
    run.main([]);

It needs Gradio: python -m pip install gradio
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import warnings
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from workshop.kit import cli, lazy, versions
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.saving import bundle

if TYPE_CHECKING:
    import gradio as gr

    from workshop.draw.answers import Classifier

MODEL = "mnist_cnn"
PORT = 7860
_OTHER_PORTS = 20  # that are tried after `PORT` where none is given
_HEIGHT = 900  # pixels of the page below the cell of a notebook
_below_cells: dict[tuple[tuple[str, object], ...], gr.Blocks] = {}  # by options: a cell that runs again ends its page


def build_parser() -> cli.Parser:
    """Returns the parser of the command's options."""
    parser = cli.Parser(prog="python -m workshop draw", description=__doc__)
    add = parser.add_argument
    where = "a name without an ending is looked for in the current folder, in models and among the shipped ones"
    add("--model", type=Path, metavar="PATH", default=Path(MODEL), help=f"a saved model; {where} (default: {MODEL})")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on (default: 127.0.0.1, this machine only)")
    add(
        "--port",
        type=cli.whole_number(1, 65535),
        metavar="N",
        help=f"port to listen on (default: the first free one from {PORT} up)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Serves the page until Ctrl-C, or in a notebook as long as its kernel lives; returns the exit code.

    Raises:
        WorkshopError: Gradio is not installed, the model is refused, or the address cannot be listened on.
    """
    arguments = build_parser().parse_args(argv)
    keep_quiet(arguments.host)
    _check_gradio()
    cell = tuple(sorted(vars(arguments).items()))
    if cell in _below_cells:
        _below_cells.pop(cell).close(verbose=False)
    port = free_port(arguments.host, arguments.port)
    model: Path = arguments.model
    if not model.suffix and model.parent == Path() and not model.exists():
        model = bundle.find(model.name)
    print(f"Loading   {model} in Keras, PyTorch and NumPy ...", flush=True)
    from workshop.draw.answers import Classifier

    page, address = serve(Classifier(model), arguments.host, port)
    if _in_kernel():
        _below_cells[cell] = page  # its server runs on
        return 0
    print(f"Open      {address}", flush=True)
    if arguments.host not in ("127.0.0.1", "localhost", "::1"):
        print(f"          everyone who reaches port {port} of this machine can open the page", flush=True)
    try:
        print("Stop      with Ctrl-C", flush=True)  # from here on it may come
        threading.Event().wait()
    except KeyboardInterrupt:
        if not hasattr(sys, "ps1"):  # else it was started at Python's prompt, or IPython's, which goes on
            raise
    finally:
        page.close(verbose=False)
    return 0


def _in_kernel() -> bool:
    """Returns whether this is the kernel of a notebook: in a terminal, IPython's too, no page can be shown."""
    return "IPython" in sys.modules and hasattr(sys.modules["IPython"].get_ipython(), "kernel")


def _check_gradio() -> None:
    """Imports Gradio.

    Raises:
        WorkshopError: it is not installed, or too old.
    """
    tried = versions.tried_range("gradio")
    with contextlib.suppress(metadata.PackageNotFoundError):
        # Before the import: a notebook's kernel then takes the new one without a restart.
        if tried.is_older(version := versions.installed("gradio")):
            raise WorkshopError(
                f"gradio {version} is too old, the page needs {tried.lowest}: python -m pip install --upgrade gradio"
            )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")  # of tqdm, for a kernel without ipywidgets
        lazy.load("gradio")


def keep_quiet(host: str) -> None:
    """Tells Gradio, before it is imported, to report nothing to anybody and to reach this machine without a proxy."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    for name in ("no_proxy", "NO_PROXY"):
        others = os.environ.get(name)
        os.environ[name] = ",".join(filter(None, (others, "127.0.0.1", "localhost", host)))


def serve(classifier: Classifier, host: str, port: int) -> tuple[gr.Blocks, str]:
    """Starts the server in a thread of its own; returns the page and its address."""
    from gradio import queueing, routes
    from starlette.middleware import Middleware

    from workshop.draw import page as layout
    from workshop.draw.guard import Guard

    # For each request that Gradio refuses it prints a page of its own code; a line says as much.
    routes.traceback = queueing.traceback = SimpleNamespace(print_exc=_say_in_a_line)
    page = layout.build(classifier)
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        share=False,
        inbrowser=False,
        inline=_in_kernel(),
        prevent_thread_lock=True,
        quiet=True,
        height=_HEIGHT,
        theme=layout.THEME,
        css=layout.CSS,
        js=layout.LIGHT,
        footer_links=[],
        enable_monitoring=False,
        ssr_mode=False,
        app_kwargs={"middleware": [Middleware(Guard)]},
    )
    return page, address


def _say_in_a_line() -> None:
    print(f"refused: {one_line(sys.exc_info()[1])}", file=sys.stderr)


def free_port(host: str, port: int | None) -> int:
    """Returns the port to listen on: the given one, else the first free one from `PORT` up.

    Raises:
        WorkshopError: the address is none of this machine's, or the port is in use.
    """
    for number in [port] if port else range(PORT, PORT + _OTHER_PORTS):
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as probe:
                if os.name != "nt":  # there it would share a port that is in use
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            failure = error
        else:
            return number
    ports = f"--port {port}" if port else f"ports {PORT} to {PORT + _OTHER_PORTS - 1}"
    raise WorkshopError(
        f"--host {host}, {ports}: nothing can listen there ({failure.strerror}): give another by --host or --port"
    )
