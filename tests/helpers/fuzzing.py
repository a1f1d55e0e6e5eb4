"""What every input must end in, and changes to good inputs."""

import resource
import signal
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from hypothesis import strategies as st

from src.system.errors import UserError

Result = TypeVar("Result")

MEMORY = 1 << 30
"""Bytes that reading a small file may take."""
SECONDS = 30
"""After this long, a small file counts as endless."""

EDGES = [b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", bytes(4), bytes(8), b"\xff" * 8]
JUNK = st.one_of(st.sampled_from(EDGES), st.binary(min_size=1, max_size=12))
WORDS = st.sampled_from(
    ["", " ", "nan", "inf", "-1", "1e999", "9" * 30, "0x1", "null", "é", "\x00", "\r", '"', ",", "{"]
)
TEXTS = st.one_of(WORDS, st.text(max_size=12))
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.just(10**400)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=4,
)


def result_or_line(call: Callable[[], Result]) -> Result | UserError:
    """The result of a call, or the error that it ended in, which must be of one clear line."""
    with bounded():
        try:
            return call()
        except UserError as error:
            assert_one_line(str(error))
            return error


def assert_one_line(text: str) -> None:
    assert text.strip()
    assert len(text.splitlines()) == 1, text
    assert len(text) < 4000
    assert "Traceback" not in text


@contextmanager
def bounded() -> Iterator[None]:
    """Fails on code that takes too much memory (where the system can tell), or that does not end."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"not finished after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no file on a disk
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, before)


@st.composite
def changed_bytes(draw: st.DrawFn, samples: Sequence[bytes], changes: int = 6) -> bytes:
    """One of the samples with up to `changes` changes: bytes replaced, put in, removed, repeated, or cut off."""
    data = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(0, changes))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["replace", "head", "insert", "remove", "repeat", "cut", "splice"])):
            case "replace":
                junk = draw(JUNK)
                data[at : at + len(junk)] = junk
            case "head":  # most of what a reader decides on is at the beginning
                junk, at = draw(JUNK), draw(st.integers(0, min(len(data), 256)))
                data[at : at + len(junk)] = junk
            case "insert":
                data[at:at] = draw(JUNK)
            case "remove":
                del data[at : at + draw(st.integers(1, 40))]
            case "repeat":
                data[at:at] = data[at : at + draw(st.integers(1, 200))] * draw(st.integers(1, 4))
            case "cut":
                del data[at:]
            case "splice":
                other = draw(st.sampled_from(samples))
                data[at:] = other[draw(st.integers(0, len(other))) :]
    return bytes(data)


@st.composite
def changed_lines(draw: st.DrawFn, samples: Sequence[str], changes: int = 4) -> str:
    """One of the samples with up to `changes` lines, or words in them, replaced, doubled or removed."""
    lines = draw(st.sampled_from(samples)).split("\n")
    for _ in range(draw(st.integers(0, changes))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["word", "line", "double", "remove", "add"])):
            case "word":
                comma = "," if "," in lines[at] else " "
                words = lines[at].split(comma)
                words[draw(st.integers(0, len(words) - 1))] = draw(TEXTS)
                lines[at] = comma.join(words)
            case "line":
                lines[at] = draw(TEXTS)
            case "double":
                lines.insert(at, lines[at])
            case "remove" if len(lines) > 1:
                del lines[at]
            case "add":
                lines.insert(at, draw(TEXTS))
    return draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])).join(lines)


@st.composite
def changed_tree(draw: st.DrawFn, tree: Any, changes: int = 3, values: st.SearchStrategy[Any] = PLAIN) -> Any:
    """Nested dicts and lists with up to `changes` values replaced, removed or renamed."""
    for _ in range(draw(st.integers(0, changes))):
        tree = draw(_one_change(tree, values))
    return tree


@st.composite
def _one_change(draw: st.DrawFn, tree: Any, values: st.SearchStrategy[Any]) -> Any:
    if not isinstance(tree, dict | list) or not tree or draw(st.integers(0, 5)) == 0:
        return draw(values)
    if isinstance(tree, list):
        at = draw(st.integers(0, len(tree) - 1))
        return [*tree[:at], draw(_one_change(tree[at], values)), *tree[at + 1 :]]
    key = draw(st.sampled_from(list(tree)))
    rest = {name: value for name, value in tree.items() if name != key}
    match draw(st.sampled_from(["inside", "inside", "inside", "remove", "rename"])):
        case "remove":
            return rest
        case "rename":
            return rest | {draw(TEXTS): tree[key]}
    return {name: draw(_one_change(value, values)) if name == key else value for name, value in tree.items()}


def with_checksums(png: bytes) -> bytes:
    """A PNG whose chunks have the checksums of their contents, as far as it has chunks."""
    at, data = 8, bytearray(png)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(data)
