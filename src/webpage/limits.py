"""What the server refuses before Gradio sees it: too large bodies, other hosts' names, other sites, foreign URLs."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Set
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from src.webpage.kept import size_of

MOST_UPLOADED: Final = 20 << 20
"""Bytes of a picture."""
MOST_SENT: Final = MOST_UPLOADED + (1 << 20)
"""Bytes of a request, with what surrounds the picture in it."""
MOST_KEPT: Final = 1 << 30
"""Bytes in the page's folder above which no upload is taken; a picture is deleted after an hour."""

CLOSE: Final = (b"connection", b"close")
"""The rest of a body is not read."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):  # noqa: N818 - it never leaves this module
    pass


class Limits:
    """An ASGI middleware.

    Gradio limits each file, but neither the number of files in a request nor any other body.

    Args:
        app: what answers the other requests.
        folder: where uploads lie.
        hosts: the names under which the page may be asked for, so that no other site reads it by giving its own name
            this machine's address; None: any.
        most: bytes of a request.
        kept: bytes in the folder.
    """

    def __init__(
        self, app: App, folder: Path, hosts: frozenset[str] | None, most: int = MOST_SENT, kept: int = MOST_KEPT
    ) -> None:
        self.app, self.folder, self.hosts, self.most, self.kept = app, folder, hosts, most, kept

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request; what is no HTTP passes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused:
            await _answer(send, *refused)
            return
        read, over, started, whole = 0, False, False, scope["method"] in ("GET", "HEAD")

        async def counted() -> Message:
            nonlocal read, over, whole
            message = await receive()
            read += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if read > self.most:
                over = True
                raise _TooLarge
            return message

        async def unless_over(message: Message) -> None:
            nonlocal started
            if over and not started:
                return  # what the app makes of a body that was cut off
            if not started and not whole:  # otherwise the server takes the rest, however long, and drops it
                message["headers"] = [*message.get("headers", []), CLOSE]
            started = True
            await send(message)

        try:
            await self.app(scope, counted, unless_over)
        except Exception:
            if not over:
                raise
        if over and not started:
            await _answer(send, *self._large())

    def _refused(self, scope: Message) -> tuple[int, str] | None:
        """The status and the line for a request whose head is enough to refuse it."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        host = _host(headers.get(b"host", b"").decode("latin-1"))
        if self.hosts is not None and host not in self.hosts:
            return 403, "this page is for this machine alone"
        if scope["method"] not in ("GET", "HEAD") and _foreign(headers, self.hosts or {host}):
            return 403, "other sites cannot use this page"
        path = scope["path"].lower()
        if "=http:" in path or "=https:" in path or "/proxy=" in path:
            return 403, "this page fetches nothing from elsewhere"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.most:
            return self._large()
        if scope["method"] == "POST" and path.endswith("/upload") and size_of(self.folder) > self.kept:
            return 507, "the page's folder is full: try again in an hour, or start the page again"
        return None

    def _large(self) -> tuple[int, str]:
        return 413, f"too large: {self.most >> 20} MB at most"


def _host(header: str) -> str:
    """The name in a Host header, without the port."""
    name, colon, port = header.rpartition(":")
    return (name if colon and port.isdigit() else header).lower()


def _foreign(headers: Mapping[bytes, bytes], hosts: Set[str]) -> bool:
    """Whether a browser says that a site under none of these names asks; what is no browser says nothing."""
    if headers.get(b"sec-fetch-site", b"").lower() == b"cross-site":
        return True
    origin = headers.get(b"origin")
    if origin is None:
        return False
    try:
        return _host(urlsplit(origin.decode("latin-1")).netloc) not in hosts
    except ValueError:  # no address
        return True


async def _answer(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        CLOSE,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
