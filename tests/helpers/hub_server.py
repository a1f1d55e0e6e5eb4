"""A small Hugging Face hub on 127.0.0.1: it lists a folder's files, serves them, and can cut a transfer."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves the files of a folder as those of `name`.

    Attributes:
        cut: names of files of which only half arrives, each time.
        lie: names of files whose half is sent as if it were all.
        asked: the paths of all requests.
    """

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.name = folder, name
        self.cut: set[str] = set()
        self.lie: set[str] = set()
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def hub_of(folder: Path, name: str) -> Iterator[Hub]:
    server = Hub(folder, name)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        path = self.path.partition("?")[0]
        files = sorted(file for file in self.server.folder.iterdir() if file.is_file())
        if path.startswith(f"/api/models/{self.server.name}/tree/"):
            self._json([{"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _digest(file)}
                        for file in files])  # fmt: skip
        elif path.startswith(f"/api/models/{self.server.name}"):
            self._json(
                {"id": self.server.name, "sha": COMMIT, "siblings": [{"rfilename": file.name} for file in files]}
            )
        elif path.startswith(f"/{self.server.name}/resolve/"):
            self._file(self.server.folder / path.rpartition("/")[2], body)
        else:
            self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

    def _json(self, values: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(values).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def _file(self, file: Path, body: bool) -> None:
        content = file.read_bytes()
        headers = {"ETag": f'"{_digest(file)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if file.name in self.server.lie:
            content = content[: len(content) // 2]
        start = self.headers.get("Range")
        if start and body:
            first = int(start.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            content, status = content[first:], 206
        else:
            status = 200
        half = len(content) // 2 if file.name in self.server.cut else None
        self._send(content, status, headers, body, half)

    def _send(
        self, content: bytes, status: int, headers: dict[str, str], body: bool = True, end: int | None = None
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(content[:end])
        if end is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


def _digest(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()
