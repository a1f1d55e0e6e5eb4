import http.client
import os
import re
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import psutil
import pytest

from src.page import main
from src.webpage.serve import names_of, settle
from tests.helpers.page_server import Served, drawn_photograph, png, served

ROOT = Path(__file__).resolve().parents[2]
UPLOAD = "/gradio_api/upload"
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


def status_of(page: Served, path: str, host: str | None = None) -> int:
    """The status of a GET whose path is sent as it is."""
    connection = http.client.HTTPConnection(page.host, timeout=30)
    try:
        connection.putrequest("GET", path, skip_host=host is not None)
        if host is not None:
            connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def text_of(data: list[object]) -> str:
    """What the status line says in the first tab's answer."""
    return " ".join(re.sub("<[^>]+>", " ", str(data[0])).split())


def kept(page: Served) -> int:
    """Bytes in the temporary folder of the page's process."""
    return sum(file.stat().st_size for file in page.folder.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "/file=/etc/passwd", "/gradio_api/file=/etc/passwd", "/gradio_api/file=//etc/passwd",
        "/gradio_api/file=../../etc/passwd", "/gradio_api/file=%2e%2e/%2e%2e/etc/passwd",
        "/gradio_api/file=file:///etc/passwd", f"/gradio_api/file={ROOT}/pyproject.toml",
        "/gradio_api/file=pyproject.toml", "/gradio_api/file=./src/page.py", "/static/../../../routes.py",
        "/static/%2e%2e/%2e%2e/%2e%2e/routes.py", "/assets/../../../routes.py", "/gradio_api/file=.git/config",
        "/gradio_api/file=https://example.org/", "/gradio_api/proxy=https://example.org/", "/pyproject.toml",
    ],
)  # fmt: skip
def test_no_path_of_the_machine_is_served(page: Served, path: str) -> None:
    assert status_of(page, path) in (403, 404)


def test_an_upload_is_served_and_its_neighbours_are_not(page: Served) -> None:
    path = page.upload("face.png", png(drawn_photograph()))
    assert Path(path).is_relative_to(page.folder)
    assert status_of(page, f"/gradio_api/file={path}") == 200
    outside = page.folder / "secret.png"
    outside.write_bytes(png(drawn_photograph()))
    assert status_of(page, f"/gradio_api/file={path}/../../../secret.png") == 403
    assert status_of(page, f"/gradio_api/file={outside}") == 403
    outside.unlink()


def test_the_folder_is_private(page: Served) -> None:
    (folder,) = page.folder.glob("mtun_page_*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_other_names_of_the_machine_are_refused(page: Served) -> None:
    assert status_of(page, "/", host=page.host) == 200
    assert status_of(page, "/", host="evil.example") == 403


def test_ten_photographs_at_once_are_all_answered(page: Served) -> None:
    def ask(number: int) -> tuple[str, list[object]]:
        photograph = drawn_photograph()
        photograph[:5] = number
        return page.upscaled(page.upload(f"photo {number}.png", png(photograph)))

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(10)))
    assert [name for name, _ in answers] == ["complete"] * 10
    assert {text_of(data) for _, data in answers} == {"2 faces found and upscaled."}


def test_a_path_that_was_not_uploaded_is_not_read(page: Served) -> None:
    for path in (ROOT / "docs" / "demo.png", "/etc/passwd", "docs/demo.png", "https://example.org/a.png"):
        assert page.upscaled(str(path))[0] == "error"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("notes.jpg", b"These are no pixels.\n" * 100, "notes.jpg: not a picture, or cut off in its header"),
        ("empty.png", b"", "empty.png: empty file (0 bytes)"),
        ("cut.png", png(drawn_photograph())[:2000], "cut.png: damaged or cut short: "),
        ("one.png", png(np.zeros((1, 1, 3), np.uint8)), "No face was found in this photograph."),
        ("grey.png", png(np.full((200, 300, 3), 128, np.uint8)), "No face was found in this photograph."),
    ],
)
def test_a_bad_picture_is_one_line(page: Served, name: str, content: bytes, said: str) -> None:
    event, data = page.upscaled(page.upload(name, content))
    assert event == "complete"
    assert text_of(data).startswith(said)
    assert str(data[0]).count("<p") == 1
    assert "Traceback" not in str(data)


def test_an_upload_over_the_limit_is_refused(page: Served) -> None:
    with pytest.raises(HTTPError) as error:
        page.upload("large.png", bytes((20 << 20) + 1))
    assert error.value.code in (400, 413)


@pytest.mark.parametrize("head", ['name="files"; filename="a.png"', 'name="text"'], ids=["file", "field"])
@pytest.mark.parametrize("said", [True, False], ids=["with its length", "without"])
def test_two_gigabytes_are_cut_off(page: Served, head: str, said: bool) -> None:
    process, before, chunk, sent = psutil.Process(page.process.pid), kept(page), bytes(1 << 20), 0
    memory = process.memory_info().rss
    connection = http.client.HTTPConnection(page.host, timeout=60)
    connection.putrequest("POST", UPLOAD)
    for name, value in {
        **FORM,
        **({"Content-Length": f"{2 << 30}"} if said else {"Transfer-Encoding": "chunked"}),
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    start = f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()
    try:
        for part in [start, *[chunk] * 2048]:
            connection.send(part if said else f"{len(part):x}\r\n".encode() + part + b"\r\n")
            sent += len(part)
    except OSError:
        pass  # the server has closed the connection
    connection.close()
    assert sent < 100 << 20
    assert kept(page) - before < 30 << 20
    assert process.memory_info().rss - memory < 150 << 20
    assert status_of(page, "/") == 200


def test_it_ends_with_its_folder_and_its_port_is_its_own(
    tmp_path: Path, checkpoint_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(tmp_path, "--method", str(checkpoint_file)) as page:
        answer = page.upscaled(page.upload("a.png", png(drawn_photograph())))
        assert text_of(answer[1]).startswith("2 faces found")
        port = int(page.host.rpartition(":")[2])
        addresses = {
            one.laddr.ip for one in psutil.Process(page.process.pid).net_connections() if one.status == "LISTEN"
        }
        assert addresses == {"127.0.0.1"}
    assert page.process.returncode == 130
    # Torch's own folder is empty.
    assert [path for path in tmp_path.rglob("*") if not path.name.startswith("torchinductor_")] == []
    assert "Traceback" not in capfd.readouterr().err
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 5)


def test_a_port_that_is_taken_is_one_line(
    checkpoint_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.webpage.serve.signal.signal", lambda *_: None)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--method", str(checkpoint_file), "--device", "cpu", "--port", str(port)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --port {port} cannot be served")


@pytest.mark.parametrize("host", ["nonsense.invalid", "192.0.2.1", "a..b", "::2"])
def test_an_address_of_no_machine_or_of_another_is_one_line(
    host: str, checkpoint_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.webpage.serve.signal.signal", lambda *_: None)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    assert main(["--method", str(checkpoint_file), "--device", "cpu", "--host", host]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --host {host}: no address of this machine: ")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("localhost", "127.0.0.1"), ("::1", "[::1]"),
        ("[::1]", "[::1]"), ("0:0:0:0:0:0:0:1", "[::1]"),
        ("0.0.0.0", None), ("::", None), ("192.0.2.1", None), ("pc.lan", None),
    ],
)  # fmt: skip
def test_an_address_is_known_to_be_of_this_machine_alone(host: str, name: str | None) -> None:
    names = names_of(host)
    assert names is None if name is None else names is not None and name in names


@pytest.mark.parametrize(("host", "name"), [("::1", "[::1]"), ("127.0.0.2", "127.0.0.2")])
def test_every_loopback_address_is_served_to_this_machine_alone(
    host: str, name: str, tmp_path: Path, checkpoint_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with served(tmp_path, "--method", str(checkpoint_file), "--host", host) as page:
        assert page.address.startswith(f"http://{name}:")
        assert status_of(page, "/", host=page.host) == 200
        assert status_of(page, "/", host="evil.example") == 403
    assert "warning: --host" not in capfd.readouterr().err


def test_gradio_takes_no_settings_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"GRADIO_SHARE": "True", "GRADIO_ALLOWED_PATHS": "/", "HOME": "/x"})
    settle(tmp_path)
    assert os.environ["HOME"] == "/x"
    assert "GRADIO_SHARE" not in os.environ
    assert "GRADIO_ALLOWED_PATHS" not in os.environ
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["GRADIO_TEMP_DIR"] == str(tmp_path)
