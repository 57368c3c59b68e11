"""The page of `python -m workshop draw`: what it makes of an image, and the page itself in a headless browser."""

import asyncio
import base64
import contextlib
import gc
import http.client
import http.server
import io
import json
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image, ImageDraw

from workshop.draw import panels, run, steps
from workshop.draw.answers import DRAWING, Classifier
from workshop.kit import files, versions
from workshop.kit.errors import WorkshopError

pytestmark = pytest.mark.usefixtures("alone")

# How one writes the digits, in a square of side 1: each stroke is a line through these points.
STROKES = {
    "0": [[(0.5, 0.15), (0.33, 0.25), (0.27, 0.5), (0.33, 0.75), (0.5, 0.85), (0.67, 0.75), (0.73, 0.5), (0.67, 0.25),
           (0.5, 0.15)]],
    "1": [[(0.5, 0.15), (0.5, 0.85)]],
    "2": [[(0.3, 0.3), (0.4, 0.17), (0.58, 0.17), (0.68, 0.3), (0.64, 0.45), (0.3, 0.82), (0.72, 0.82)]],
    "3": [[(0.32, 0.2), (0.55, 0.16), (0.66, 0.28), (0.62, 0.42), (0.46, 0.48), (0.66, 0.58), (0.68, 0.74),
           (0.52, 0.85), (0.3, 0.79)]],
    "4": [[(0.36, 0.18), (0.28, 0.55), (0.72, 0.55)], [(0.64, 0.18), (0.62, 0.85)]],
    "5": [[(0.37, 0.18), (0.35, 0.46), (0.56, 0.43), (0.68, 0.58), (0.63, 0.77), (0.46, 0.85), (0.3, 0.78)],
          [(0.37, 0.18), (0.68, 0.18)]],
    "6": [[(0.6, 0.15), (0.42, 0.3), (0.32, 0.55), (0.36, 0.78), (0.52, 0.85), (0.66, 0.74), (0.62, 0.58), (0.46, 0.54),
           (0.34, 0.66)]],
    "7": [[(0.28, 0.2), (0.72, 0.2), (0.45, 0.85)]],
    "8": [[(0.64, 0.24), (0.5, 0.15), (0.36, 0.25), (0.42, 0.42), (0.6, 0.55), (0.66, 0.72), (0.5, 0.85), (0.34, 0.72),
           (0.42, 0.54), (0.6, 0.4), (0.64, 0.24)]],
    "9": [[(0.66, 0.3), (0.54, 0.17), (0.37, 0.24), (0.35, 0.4), (0.5, 0.48), (0.66, 0.32), (0.64, 0.6), (0.58, 0.85)]],
}  # fmt: skip
CNN = files.shipped("models") / "mnist_cnn.h5"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def drawn(digit: str) -> bytes:
    """A drawing as the page's canvas sends it."""
    image = Image.new("L", (280, 280), 255)
    for stroke in STROKES[digit]:
        ImageDraw.Draw(image).line([(280 * x, 280 * y) for x, y in stroke], 0, width=20, joint="curve")
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def bomb() -> bytes:
    """A PNG of some hundred bytes that says it has 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 9999)) + chunk(b"IEND", b"")


HOSTILE = {
    "page.png": (b"<html><script>alert(1)</script></html>", "page.png is not an image that can be read"),
    "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "drawing.svg is not an image that can"),
    "bomb.png": (bomb(), "bomb.png has more than 50 million pixels: make it smaller"),
    "cut.png": (drawn("3")[:150], "cut.png is truncated or damaged"),
    "huge.png": (b"\x89PNG" + bytes(11 * 2**20), "huge.png is larger than 10 MB: save the image smaller"),
}


# --- Without a browser ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(CNN)


def read(classifier: Classifier, content: bytes, name: str = DRAWING) -> np.ndarray:
    image = classifier.read(data_url(content), name)
    assert image is not None
    return image


def test_the_engines_agree_on_a_drawing_and_show_the_way_through_the_network(classifier: Classifier) -> None:
    answer = classifier.answer(read(classifier, drawn("3")))
    assert classifier.classes[answer.label] == "3"
    assert list(answer.probabilities) == ["Keras", "PyTorch", "NumPy"]
    assert np.ptp(np.stack(list(answer.probabilities.values())), axis=0).max() < 1e-5
    assert [kind for kind, _ in answer.stages][:2] == ["Conv2D", "MaxPooling2D"]
    np.testing.assert_allclose(answer.stages[-1][1], answer.probabilities["NumPy"], atol=1e-6)
    assert answer.heat is not None and answer.heat.max() > 0.9
    assert not classifier.notes
    html, layers = panels.answer(classifier, answer)
    assert html.count("<img") == 2 and 'data-class="3"' in html and layers.count("<img") == len(answer.stages)


def test_a_drawing_is_centred_as_in_mnist_wherever_it_stands(classifier: Classifier) -> None:
    image = read(classifier, drawn("7"))
    rows, columns = np.nonzero(image)
    assert max(np.ptp(rows), np.ptp(columns)) == 19  # the longer side has 20 pixels
    moved, content = Image.new("L", (280, 280), 255), io.BytesIO()
    moved.paste(Image.open(io.BytesIO(drawn("7"))), (40, -30))
    moved.save(content, "PNG")
    np.testing.assert_array_equal(read(classifier, content.getvalue()), image)
    # A file of the same drawing goes the way of the programs: the ink is first found on the paper.
    assert classifier.classes[classifier.answer(read(classifier, drawn("7"), "seven.png")).label] == "7"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_a_line(classifier: Classifier, name: str) -> None:
    content, message = HOSTILE[name]
    with pytest.raises(WorkshopError, match=re.escape(message)):
        classifier.read(data_url(content), name)


@pytest.mark.parametrize("data_url", [None, 7, [], "/etc/passwd", "file:///etc/passwd", "data:,x", "data:;base64,%%"])
def test_what_is_no_image_is_refused_in_a_line(classifier: Classifier, data_url: Any) -> None:
    with pytest.raises(WorkshopError, match=r"^\.\./\.\./etc/passwd is (not an image|damaged)"):
        classifier.read(data_url, "../../etc/passwd")


def test_names_from_outside_are_text_on_the_page(classifier: Classifier) -> None:
    html, _ = panels.empty(classifier, "<script>alert(1)</script>.png is not an image")
    assert "<script" not in html and "&lt;script&gt;" in html


def test_other_models(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    garments = Classifier(files.shipped("models") / "fashion_mnist_dense.h5")
    assert garments.is_garment and garments.classes[9] == "Ankle boot"
    assert "No Grad-CAM: the network has no convolutions" in garments.notes[0]
    answer = garments.answer(read(garments, drawn("0")))
    assert answer.heat is None and answer.image.any(axis=1).all()  # as in Fashion-MNIST its longer side has 28 pixels
    assert "Ankle boot" in panels.answer(garments, answer)[0]
    with pytest.raises(WorkshopError, match=r"admission.h5 takes inputs of shape \(2,\), this program gives"):
        Classifier(files.shipped("models") / "admission.h5")
    shutil.copy(CNN, room / "mine.h5")
    assert Classifier(room / "mine.h5").classes[3] == "3"
    assert "mine.h5 has no card, so it is unverified" in capsys.readouterr().err


@pytest.mark.parametrize("data", steps.DATA)
def test_a_training_bends_the_boundary_around_the_points(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_PAUSE", 0)
    training = steps.Training(data, 0.15, 6, "tanh", 0.3)
    before = panels.training(training)
    assert "Before training" in before and before.count("<circle") + before.count('class="class-1"') == steps.POINTS
    shown = sum(1 for _ in training.frames())
    assert len(training.losses) == steps.EPOCHS and 100 < shown < steps.EPOCHS
    assert training.accuracy() >= 0.98 and training.losses[-1] < 0.1 * training.losses[0]
    assert f"After {steps.EPOCHS} epochs" in panels.training(training)
    one_unit = steps.Training("XOR", 0.15, 1, "tanh", 0.3)
    list(one_unit.frames())
    assert one_unit.accuracy() < 0.85  # one line does not part the corners


def test_a_taken_port_is_refused_in_a_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(WorkshopError, match=rf"--port {port}: nothing can listen there \(.*\): give another"):
            run.free_port("127.0.0.1", port)
    assert run.free_port("127.0.0.1", port) == port
    with pytest.raises(WorkshopError, match="--host no-such-host"):
        run.free_port("no-such-host", port)


ALONE = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {missing} else find(name, *rest)
import sys
from workshop.__main__ import start
from workshop.kit import cli
sys.argv = ["workshop", "draw", "--port", "{port}"]
cli.run(start, stopped="stopped")
"""


def test_numpy_alone_serves_the_page_and_says_so_until_ctrl_c() -> None:
    port = run.free_port("127.0.0.1", None)
    command = [sys.executable, "-u", "-c", ALONE.format(missing=("torch", "tensorflow"), port=port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Stop"):
                break
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request("GET", "/config")
            config = connection.getresponse().read().decode()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert "Keras does not predict here: Keras is to run on tensorflow" in config
    assert "PyTorch does not predict here: the library torch is not installed" in config
    assert "mnist_cnn.h5, in NumPy." in config
    assert rest.strip() == "stopped" and process.returncode == 130


def test_an_old_gradio_is_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "installed", {"gradio": "6.19.0"}.__getitem__)
    with pytest.raises(WorkshopError, match=r"^gradio 6.19.0 is too old, the page needs 6\.\d+: .* --upgrade gradio$"):
        run.main([])


def test_without_gradio_it_says_how_to_install_it() -> None:
    command = [sys.executable, "-c", ALONE.format(missing=("gradio",), port=7860)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "error: the library gradio is not installed: python -m pip install gradio\n"


# --- In a browser -----------------------------------------------------------------------------------------------------


def a_browser(chromium: Any) -> str | None:
    """Playwright's own Chromium if it is installed, else the system's; None where there is neither."""
    own: str = chromium.executable_path
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return own if Path(own).exists() else next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="module")
def address(classifier: Classifier) -> Iterator[str]:
    """The page's address, served by this process as `main` does."""
    pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    run.keep_quiet("127.0.0.1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries below Gradio
        pytest.importorskip("gradio", reason="needs Gradio: pip install gradio")
        page, at = run.serve(classifier, "127.0.0.1", run.free_port("127.0.0.1", None))
        # Gradio opens an event loop for each of its locks and closes none: those it has left are collected here, where
        # their warnings are ignored, and not in the midst of some test.
        gc.collect()
    yield at
    page.close(verbose=False)
    asyncio.set_event_loop(None)  # the last of those loops
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del page
        gc.collect()


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = a_browser(playwright.chromium)
        if path is None:
            pytest.skip("needs a browser: playwright install chromium, or the system's package chromium")
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class Visitor:
    """Somebody who opened the page.

    Args:
        browser: Playwright's.
        address: of the page, or of the notebook that it stands in.
        hosts: all that may be asked for anything.

    Attributes:
        page: Playwright's.
        frame: its frame or, in a notebook, the one below the cell.
        outside: what the page asked for elsewhere.
    """

    def __init__(self, browser: Any, address: str, hosts: Collection[str] = ("127.0.0.1",)) -> None:
        self.outside: list[str] = []
        self.complaints: list[str] = []
        self.hosts = hosts
        self.page = browser.new_context(viewport={"width": 1280, "height": 1200}).new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("websocket", lambda socket: self.outside.append(socket.url))  # Colab passes none on
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else 0)
        self.page.goto(address)
        below = self.page.query_selector("iframe")
        self.frame = below.content_frame() if below else self.page.main_frame
        self.frame.wait_for_selector("canvas")
        # Between the end of a stroke and the change of the answer, by the browser's clock.
        self.frame.evaluate(
            """() => {
                const end = () => { window.ended = performance.now(); window.lag = 0; };
                document.addEventListener("pointerup", end, true);
                new MutationObserver(() => { window.lag ||= performance.now() - window.ended; }).observe(
                    document.querySelector(".answer").parentElement,
                    { childList: true, subtree: true, attributes: true, characterData: true });
            }"""
        )

    def _note(self, url: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname not in self.hosts:
            self.outside.append(url)

    def draw(self, digit: str) -> list[float]:
        """Draws a digit by the mouse; returns the seconds from the end of each stroke to the answer."""
        box = self.frame.locator("canvas").bounding_box()
        seconds = []
        for stroke in STROKES[digit]:
            first, *others = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in stroke]
            self.page.mouse.move(*first)
            self.page.mouse.down()
            for place in others:
                self.page.mouse.move(*place, steps=3)
            self.page.mouse.up()
            self.frame.wait_for_function("window.lag > 0")
            seconds.append(self.frame.evaluate("window.lag") / 1000)
        return seconds

    def clear(self) -> None:
        self.frame.get_by_role("button", name="Clear").click()
        self.frame.wait_for_selector(".invitation:not(:empty)")

    def prediction(self) -> str:
        return str(self.frame.get_attribute(".prediction", "data-class"))

    def progress(self) -> str:
        return str(self.frame.inner_text(".progress"))


@pytest.fixture(scope="module")
def visitor(browser: Any, address: str) -> Visitor:
    return Visitor(browser, address)


def test_ten_digits_drawn_by_the_mouse(visitor: Visitor, capsys: pytest.CaptureFixture[str]) -> None:
    named, seconds = {}, []
    for digit in STROKES:
        seconds += visitor.draw(digit)
        named[digit] = visitor.prediction()
        visitor.clear()
    median = statistics.median(seconds)
    with capsys.disabled():
        print(f" [from a stroke's end to the answer: median {median:.2f} s, longest {max(seconds):.2f} s]", end="")
    assert sum(digit == name for digit, name in named.items()) >= 9, named
    assert median < 0.3
    assert not visitor.outside and not visitor.complaints


def test_hostile_files_are_refused_in_a_line_and_the_page_lives_on(
    visitor: Visitor, address: str, room: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def open_file(name: str, content: bytes) -> None:
        (room / name).write_bytes(content)
        visitor.page.set_input_files("input[type=file]", room / name)

    for name, (content, message) in HOSTILE.items():
        open_file(name, content)
        visitor.page.wait_for_selector(f".refused:has-text('{name}')")
        assert message in visitor.page.inner_text(".refused")
    open_file("seven.png", drawn("7"))
    visitor.page.wait_for_selector(".prediction[data-class='7']")
    assert not visitor.outside

    def asked(method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        with contextlib.closing(http.client.HTTPConnection(str(urlsplit(address).netloc), timeout=20)) as connection:
            connection.request(method, path, body, {"content-type": "application/json", **headers})
            response = connection.getresponse()
            return response.status, response.read().decode()

    # Around the page, at the server itself: a file with a path for a name, files of this machine, too much, nonsense.
    form = b'--x\r\ncontent-disposition: form-data; name="files"; filename="../../x.png"\r\n\r\nx\r\n--x--\r\n'
    assert asked("POST", "/gradio_api/upload", form, **{"content-type": "multipart/form-data; boundary=x"})[0] == 403
    for path in ("file=/etc/passwd", "file=../../../../etc/passwd", "file=http://example.com/"):
        assert asked("GET", f"/gradio_api/{path}")[0] in (403, 404)
    assert asked("POST", "/gradio_api/run/predict", b"{}", **{"content-length": str(10**9)})[0] == 413
    events: list[Any] = [None, [], "x", {"image": ["/etc/passwd"]}, {"name": 7, "size": "x"}]
    for event in events:
        data: dict[str, Any] = {"data": [], "event_data": event, "fn_index": 0, "session_hash": "x"}
        status, text = asked("POST", "/gradio_api/run/predict", json.dumps(data).encode())
        assert status == 200 and ("refused" in text or "Draw a digit" in text), text
    of_this_machine = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    data = {"data": [], "event_data": {"image": of_this_machine}, "fn_index": 0, "session_hash": "x"}
    status, text = asked("POST", "/gradio_api/run/predict", json.dumps(data).encode())
    assert status == 500 and "root:" not in text
    visitor.clear()
    visitor.draw("3")
    assert visitor.prediction() == "3"
    output = capfd.readouterr()
    assert "Traceback" not in output.out + output.err
    assert "refused: 'File /etc/passwd is not in the cache folder and cannot be accessed.'" in output.err


def test_two_visitors_at_once_do_not_mix(browser: Any, address: str, visitor: Visitor) -> None:
    other = Visitor(browser, address)
    visitor.clear()
    visitor.draw("1")
    other.draw("8")
    assert (visitor.prediction(), other.prediction()) == ("1", "8")
    for one in (visitor, other):
        one.page.get_by_role("tab", name="Train a network").click()
        one.page.wait_for_selector(".training[data-epoch='0']")
    visitor.page.get_by_role("button", name="Train", exact=True).click()
    other.page.get_by_role("button", name="One epoch").click()
    other.page.wait_for_selector(".training[data-epoch='1']")
    visitor.page.wait_for_function("+document.querySelector('.training').dataset.epoch > 10")
    visitor.page.get_by_role("button", name="Stop").click()
    time.sleep(0.4)
    stopped = visitor.progress()
    time.sleep(0.4)
    assert visitor.progress() == stopped and "After 1 epoch," in other.progress()
    # Another setting begins anew; the training goes on where one presses the button.
    visitor.page.get_by_label("two moons").click()
    visitor.page.wait_for_selector(".training[data-epoch='0']")
    visitor.page.get_by_role("button", name="Train", exact=True).click()
    visitor.page.wait_for_function("+document.querySelector('.training').dataset.epoch > 2")
    assert not visitor.outside and not other.outside and not visitor.complaints
    other.page.context.close()


# --- Below the cell of a notebook -------------------------------------------------------------------------------------


# Without the two libraries that take longest to import.
NUMPY_ALONE = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("torch", "tensorflow") else find(name, *rest)
"""
CELL = "from workshop.draw import run; run.main([]);"
# Gradio looks at the name of the shell's class, and so it is Colab's.
COLAB = """
Shell = type("Shell", (type(get_ipython()),), {"__module__": "google.colab._shell"})
get_ipython().__class__ = Shell
"""
COLAB_PAGE = """
<body>
<script>
  window.element = document.body;
  const proxyPort = async (port, options) => `http://${port}-colab.localhost:${location.port}/`;
  window.google = { colab: { kernel: { accessAllowed: true, proxyPort } } };
  CODE
</script>
"""
INTERNAL = "m-s-1.us-central1-a.c.codatalab-user-runtimes.internal"  # what Colab calls the kernel's machine

Outputs = list[dict[str, Any]]


@pytest.fixture(scope="module")
def cell() -> Iterator[Callable[[str], Outputs]]:
    """Runs a cell in the kernel of a notebook; returns what stands below it."""
    nbclient = pytest.importorskip("nbclient")
    from nbformat import v4

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries below nbclient
        patch.setenv("PYTHONPATH", str(Path(run.__file__).parents[2]))
        client = nbclient.NotebookClient(v4.new_notebook(), kernel_name="python3", timeout=60)
        with client.setup_kernel():

            def execute(source: str) -> Outputs:
                client.nb.cells.append(v4.new_code_cell(source))
                outputs: Outputs = client.execute_cell(client.nb.cells[-1], len(client.nb.cells) - 1).outputs
                return outputs

            execute(NUMPY_ALONE)
            yield execute


class Notebook(http.server.BaseHTTPRequestHandler):
    """Serves a notebook's page and, as Colab does, the ports of the kernel's machine, each as a host of its own."""

    page: ClassVar[str] = ""
    forwarded: ClassVar[dict[str, str]] = {}

    def answer(self) -> None:
        public = self.headers["host"]
        port, at_a_port, _ = public.partition("-colab.localhost")
        if not at_a_port:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(self.page.encode())
            return
        headers = {name.lower(): value for name, value in self.headers.items()} | {"host": f"{INTERNAL}:{port}"}
        headers |= {name: value.format(public) for name, value in self.forwarded.items()}
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", int(port))) as connection:
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError, http.client.HTTPException):  # the browser or the server has left
                while part := response.read1():
                    self.wfile.write(part)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def notebook(page: str) -> Iterator[int]:
    """Serves a notebook's page; gives the port."""
    Notebook.page = page
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Notebook) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def draw_and_train(visitor: Visitor) -> None:
    visitor.draw("3")
    assert visitor.prediction() == "3"
    visitor.frame.get_by_role("tab", name="Train a network").click()
    visitor.frame.get_by_role("button", name="Train", exact=True).click()
    visitor.frame.wait_for_function("+document.querySelector('.training').dataset.epoch > 10")
    visitor.frame.get_by_role("button", name="Stop").click()
    assert not visitor.outside and not visitor.complaints


@pytest.mark.slow
def test_in_a_notebook_the_page_stands_below_the_cell_which_may_run_again(
    cell: Callable[[str], Outputs], browser: Any
) -> None:
    for _ in range(2):
        said, shown = cell(CELL)
        assert re.fullmatch(r"Loading   .*mnist_cnn.h5 in Keras, PyTorch and NumPy ...\n", said["text"])
        html = shown["data"]["text/html"]
        assert re.search(r'src="http://127.0.0.1:\d+/" width="100%" height="900"', html) and "gradio.live" not in html
        assert cell("6 * 7")[0]["data"]["text/plain"] == "42"
        with notebook(html) as port:
            draw_and_train(Visitor(browser, f"http://127.0.0.1:{port}/"))  # it stays open while the cell runs again
    (running,) = cell("[one.is_running for one in run._below_cells.values()]")
    assert running["data"]["text/plain"] == "[True]"


@pytest.mark.slow
@pytest.mark.parametrize("forwarded", [{}, {"x-forwarded-host": "{}", "x-forwarded-proto": "https"}])
def test_in_colab_everything_comes_through_the_proxy(
    cell: Callable[[str], Outputs], browser: Any, forwarded: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Notebook, "forwarded", forwarded)
    cell(COLAB)
    _, shown = cell(CELL)
    code = shown["data"]["application/javascript"]
    called = re.search(r"\((\d+), \"/\", \"100%\", 900, false, window.element\)$", code)
    assert called and "gradio.live" not in code
    with notebook(COLAB_PAGE.replace("CODE", code)) as port:
        hosts = ("colab.localhost", f"{called[1]}-colab.localhost")
        draw_and_train(Visitor(browser, f"http://colab.localhost:{port}/", hosts))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", int(called[1]))) as connection:
        connection.request("POST", "/gradio_api/upload", b"x", {"host": INTERNAL})
        assert connection.getresponse().status == 403


@pytest.mark.slow
def test_in_a_terminal_ipython_serves_the_page_until_ctrl_c() -> None:
    port = run.free_port("127.0.0.1", None)
    command = [sys.executable, "-u", "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=nocolor"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{NUMPY_ALONE}from workshop.draw import run; run.main(['--port', '{port}'])\n")
        process.stdin.flush()
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Stop"):
                break
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate("6 * 7\n", timeout=20)
    assert f"Open      http://127.0.0.1:{port}/\n" in said and "HTML object" not in said
    assert "42" in rest and "Traceback" not in rest


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = "import sys; from workshop.__main__ import main\ntry: main(['draw', '--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'gradio', 'numpy', 'keras', 'torch', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--model" in done.stdout and "on Colab too" in done.stdout
