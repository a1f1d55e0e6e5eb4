"""Serves the page on this machine, with a private folder for what is uploaded, until it is stopped."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from src.model.checkpoint import Weights
from src.photo.detectors import build_detector
from src.photo.released import RELEASED
from src.photo.upscaler import FaceUpscaler
from src.system.errors import UserError, reason_of
from src.system.extras import not_installed
from src.webpage.kept import swept
from src.webpage.limits import MOST_UPLOADED, Limits

HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""The names of this machine in the head of a request."""


@dataclass(frozen=True)
class PageRequest:
    """The command's arguments.

    Attributes:
        method: folder of a release, a checkpoint, a file of `src.export`, or `hub:OWNER/NAME`.
        weights: which of a checkpoint's weights.
        device: "auto", "cpu" or "cuda".
        host: the address that is served.
        port: None: the first free one from 7860.
    """

    method: Path = RELEASED
    weights: Weights = "auto"
    device: str = "auto"
    host: str = "127.0.0.1"
    port: int | None = None


def serve(request: PageRequest) -> int:
    """Serve the page until Ctrl-C, SIGTERM or the end of the terminal.

    Raises:
        UserError: a package or a file is missing, or the port is taken.
        KeyboardInterrupt: when it is stopped.
    """
    if find_spec("gradio") is None:  # said before the network is read; imported only after `settle`
        raise not_installed("gradio", "page")
    detector = build_detector("centerface")
    upscaler = FaceUpscaler.from_pretrained(
        request.method, device=request.device, weights=request.weights, detector=detector
    )
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    with running(upscaler, request.host, request.port) as address:
        if names_of(request.host) is None:
            sys.stderr.write(f"warning: --host {request.host}: whoever reaches this machine can use the page\n")
        sys.stdout.write(f"{address} shows the page until Ctrl-C\n")
        sys.stdout.flush()
        threading.Event().wait()
    return 0


@contextmanager
def running(upscaler: FaceUpscaler, host: str = "127.0.0.1", port: int | None = None) -> Iterator[str]:
    """The page's address, while it is served from a thread.

    Uploads and results lie in a folder that only this user may read, and that is deleted at the end.

    Raises:
        UserError: the port is taken, or the address is not this machine's.
    """
    _check(host)
    with TemporaryDirectory(prefix="mtun_page_", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        settle(folder)
        from src.webpage.layout import LOOK, build_page  # imports Gradio

        page = build_page(upscaler, folder)
        try:
            page.launch(
                server_name=_in_address(host), server_port=port, prevent_thread_lock=True, quiet=True, inbrowser=False,
                share=False, show_error=False, max_file_size=MOST_UPLOADED, footer_links=[], run_history=False,
                ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False, state_session_capacity=100,
                app_kwargs={"middleware": [(Limits, (folder, names_of(host)), {})]}, **LOOK,
            )  # fmt: skip
        except (OSError, OverflowError) as error:
            where = f"--port {port}" if port is not None else f"--host {host}"
            raise UserError(f"{where} cannot be served: {reason_of(error)}") from None
        try:
            with swept(folder):
                yield str(page.local_url)
        finally:
            page.close(verbose=False)


def names_of(host: str) -> frozenset[str] | None:
    """The names under which a page is asked for that is served on an address; None if other machines reach it."""
    if host.lower() == "localhost":
        return HOSTS
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    return HOSTS | {_in_address(str(address))} if address.is_loopback else None


def _check(host: str) -> None:
    """Gradio would try a hundred ports of a wrong address, each for seconds."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.bind(address)
    except (OSError, UnicodeError) as error:
        raise UserError(f"--host {host}: no address of this machine: {reason_of(error)}") from None


def _in_address(host: str) -> str:
    """A host as it stands in a URL: IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def settle(folder: Path) -> None:
    """Have Gradio ask nobody anything, and take no settings but the command line's.

    Args:
        folder: for uploads and results.
    """
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False",  # no figures are sent, and no version is asked for
        "GRADIO_TEMP_DIR": str(folder),
        "GRADIO_EXAMPLES_CACHE": str(folder / "examples"),  # otherwise files below .gradio are served
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
