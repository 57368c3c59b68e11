"""The guard between the browser and Gradio: no page asks the world outside, and no large file comes in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import PlainTextResponse

from workshop.draw.answers import MAX_FILE_SIZE

# A browser that reads this loads nothing from elsewhere, whatever a version of Gradio would ask for.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:"
)
_MAX_REQUEST = 2 * MAX_FILE_SIZE  # bytes: an image travels as text, a third longer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Guard:
    """ASGI middleware that adds `POLICY` to each response and refuses what the page never sends.

    Args:
        app: what it stands before.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it in a line."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if scope["path"].rstrip("/").endswith("/upload"):
            await PlainTextResponse("refused: the page takes no files here", 403)(scope, receive, send)
        elif scope["method"] == "POST" and not (length.isdigit() and int(length) <= _MAX_REQUEST):
            await PlainTextResponse(f"refused: takes up to {_MAX_REQUEST} bytes", 413)(scope, receive, send)
        else:

            async def send_with_policy(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
                await send(message)

            await self.app(scope, receive, send_with_policy)
