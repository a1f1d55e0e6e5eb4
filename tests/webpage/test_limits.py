import asyncio
from pathlib import Path
from typing import Any

import pytest

from src.webpage.limits import Limits

HOSTS = frozenset({"127.0.0.1", "[::1]"})
HOST = (b"host", b"127.0.0.1:7860")


def asked(
    folder: Path, chunks: list[bytes], headers: tuple[tuple[bytes, bytes], ...] = (), path: str = "/gradio_api/upload",
    swallow: bool = False, kept: int = 1 << 30,
    reads: int = 1000, hosts: frozenset[str] | None = HOSTS, method: str = "POST",
) -> tuple[int, int]:  # fmt: skip
    """The status of the answer to a request, and how many of at most `reads` chunks the application read.

    Whether the connection is closed is asserted: it is if a part of the body was not read.
    """
    read, sent = 0, list[dict[str, Any]]()
    parts = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]

    async def receive() -> Any:
        return parts.pop(0) if parts else {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal read
        try:
            while read < reads and (await receive())["more_body"]:
                read += 1
        except Exception:
            if not swallow:
                raise
        await send({"type": "http.response.start", "status": 200, "headers": []})

    scope = {"type": "http", "method": method, "path": path, "headers": headers or (HOST,)}
    limits = Limits(app, folder, hosts, most=1000, kept=kept)
    asyncio.run(limits(scope, receive, send))
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1
    closed = (b"connection", b"close") in starts[0]["headers"]
    assert closed == (starts[0]["status"] != 200 or read == reads)
    return starts[0]["status"], read


def test_a_body_within_the_limit_reaches_the_application(tmp_path: Path) -> None:
    assert asked(tmp_path, [bytes(500), bytes(500)]) == (200, 2)


def test_an_application_that_reads_no_further_ends_the_connection(tmp_path: Path) -> None:
    assert asked(tmp_path, [bytes(100)] * 3, reads=2) == (200, 2)


@pytest.mark.parametrize("swallow", [False, True])
def test_a_body_without_a_length_is_cut_at_the_limit(tmp_path: Path, swallow: bool) -> None:
    """Whatever the application makes of the cut, the answer is ours."""
    assert asked(tmp_path, [bytes(300)] * 100, swallow=swallow) == (413, 3)


@pytest.mark.parametrize("length", [b"1001", b"99999999999", b"-1", b"x"])
def test_a_body_that_says_it_is_too_large_is_not_read(tmp_path: Path, length: bytes) -> None:
    assert asked(tmp_path, [b""], (HOST, (b"Content-Length", length))) == (413, 0)


@pytest.mark.parametrize(
    ("host", "status"),
    [(b"127.0.0.1", 200), (b"127.0.0.1:80", 200), (b"[::1]:80", 200), (b"evil.example:7860", 403), (b"", 403)],
)
def test_only_this_machines_names_are_answered(tmp_path: Path, host: bytes, status: int) -> None:
    assert asked(tmp_path, [], ((b"host", host),))[0] == status


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        (b"Sec-Fetch-Site", b"cross-site", 403), (b"Sec-Fetch-Site", b"same-origin", 200),
        (b"Origin", b"http://evil.example", 403), (b"Origin", b"http://evil.example:7860", 403),
        (b"Origin", b"null", 403), (b"Origin", b"http://[::1", 403), (b"Origin", b"http://127.0.0.1.evil.example", 403),
        (b"Origin", b"http://127.0.0.1:7860", 200), (b"Origin", b"http://[::1]:7860", 200),
    ],
)  # fmt: skip
def test_other_sites_cannot_post(tmp_path: Path, name: bytes, value: bytes, status: int) -> None:
    assert asked(tmp_path, [], (HOST, (name, value)))[0] == status


@pytest.mark.parametrize(("origin", "status"), [(b"http://pc.lan:7860", 200), (b"http://evil.example", 403)])
def test_a_page_for_other_machines_is_not_for_other_sites(tmp_path: Path, origin: bytes, status: int) -> None:
    assert asked(tmp_path, [], ((b"host", b"pc.lan:7860"), (b"origin", origin)), hosts=None)[0] == status


def test_other_sites_can_link_to_the_page(tmp_path: Path) -> None:
    assert asked(tmp_path, [], (HOST, (b"sec-fetch-site", b"cross-site")), path="/", method="GET")[0] == 200


@pytest.mark.parametrize("path", ["/gradio_api/file=https://a.example/x", "/gradio_api/FILE=HTTP://a", "/proxy=a"])
def test_nothing_is_fetched_from_elsewhere(tmp_path: Path, path: str) -> None:
    assert asked(tmp_path, [], path=path) == (403, 0)


def test_a_full_folder_takes_no_upload_but_answers(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "picture").write_bytes(bytes(50))
    assert asked(tmp_path, [], kept=50)[0] == 200
    assert asked(tmp_path, [], kept=49)[0] == 507
    assert asked(tmp_path, [], kept=49, path="/gradio_api/queue/join")[0] == 200
