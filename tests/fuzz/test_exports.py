"""`.onnx`, `.pt2` and `.safetensors` files and releases of any content end in faces or in one line."""

import hashlib
import io
import json
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from src.method.trained import Trained
from src.model.about import KEY
from src.model.program_file import program_bytes
from src.model.release import CARD, CONFIG, MODEL, SUMS, write_release
from src.model.single import single_bytes
from src.photo import FaceUpscaler, PhotoResult
from src.system.errors import UserError
from src.system.files import utf8
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.fuzzing import PLAIN, changed_bytes, changed_lines, changed_tree, result_or_line
from tests.helpers.small_network import small_checkpoint

BOXES = [(20, 20, 32, 36), (0, 30, 15, 50)]
PHOTOGRAPH = noise_picture(60, 60)
VALUES = st.one_of(PLAIN, st.sampled_from([0, -1, 2**31, 10**12, 0.5, 1e300, True, None, [], {}, [1, "x"], [5, 2]]))
PROGRAM = cache(lambda: program_bytes(small_checkpoint()))
SINGLE = cache(lambda: single_bytes(small_checkpoint()))


def check(path: Path) -> None:
    """What is read as a network gives whole faces of a photograph, and says what it is, or each is one line."""

    def faces() -> PhotoResult:
        up = FaceUpscaler.from_pretrained(path, device="cpu", any_size=True)
        assert isinstance(up.method, Trained)
        result_or_line(lambda: up.method.facts)  # type: ignore[attr-defined]
        return up(PHOTOGRAPH, BOXES)

    found = result_or_line(faces)
    if isinstance(found, UserError):
        return
    assert len(found.faces) + len(found.left_out) == 2
    assert all(face.image.shape == (128, 128, 3) for face in found.faces)
    assert found.pasted(2).shape == (120, 120, 3)
    assert all(face.heatmaps is None or np.ndim(face.heatmaps) == 3 for face in found.faces)


def check_file(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        check(path)


def test_the_good_ones_give_faces() -> None:
    for name, content in (("x.pt2", PROGRAM()), ("x.safetensors", SINGLE())):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_bytes(content)
            assert len(FaceUpscaler.from_pretrained(path, device="cpu")(PHOTOGRAPH, BOXES).faces) == 2


@given(st.sampled_from(["x.onnx", "x.pt2", "x.safetensors"]), st.data())
def test_changed_bytes(onnx_files: dict[bool, Path], name: str, data: st.DataObject) -> None:
    good = {"x.pt2": PROGRAM, "x.safetensors": SINGLE}.get(name, onnx_files[False].read_bytes)()
    check_file(name, data.draw(st.one_of(changed_bytes([good]), st.binary(max_size=200))))


@given(st.booleans(), st.data())
def test_changed_nodes_of_an_onnx_file(onnx_files: dict[bool, Path], uint8: bool, data: st.DataObject) -> None:
    model = onnx.load(onnx_files[uint8])
    for _ in range(data.draw(st.integers(1, 3))):
        kind = data.draw(st.sampled_from(["node", "initializer", "input", "output", "metadata"]))
        if kind == "metadata":
            entry = data.draw(st.sampled_from(list(model.metadata_props)))
            tree = json.loads(entry.value) if entry.key == KEY else entry.value
            entry.value = utf8(json.dumps(data.draw(changed_tree(tree, values=VALUES)))).decode()
            continue
        parts = getattr(model.graph, kind)
        at = data.draw(st.integers(0, len(parts) - 1))
        match data.draw(st.sampled_from(["remove", "double", "bytes", "swap"])):
            case "remove":
                del parts[at]
            case "double":
                parts.add().CopyFrom(parts[at])
            case "swap":
                parts[at].CopyFrom(parts[data.draw(st.integers(0, len(parts) - 1))])
            case "bytes":
                old = parts[at].SerializeToString()
                try:
                    parts[at].ParseFromString(data.draw(changed_bytes([old], 2)))
                except DecodeError:
                    parts[at].ParseFromString(old)
        if not len(parts):
            break
    check_file("x.onnx", model.SerializeToString())


@given(st.data())
def test_changed_records_of_a_program_whose_checksums_hold(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(PROGRAM())) as old, zipfile.ZipFile(buffer, "w") as new:
        tables = [name for name in old.namelist() if name.endswith(("model_weights_config.json", f"extra/{KEY}"))]
        weights = [name for name in old.namelist() if "/weights/" in name]
        changed = data.draw(st.sampled_from([*tables, *tables, *weights]))
        for name in old.namelist():
            record = old.read(name)
            if name == changed and name in tables:
                record = utf8(json.dumps(data.draw(changed_tree(json.loads(record), values=VALUES))))
            elif name == changed:
                record = data.draw(changed_bytes([record], 2))
            new.writestr(name, record)
    check_file("x.pt2", buffer.getvalue())


@cache
def release() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        write_release(small_checkpoint(), Path(folder), "# A card\n")
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def header_changed(content: bytes, data: st.DataObject) -> bytes:
    """A safetensors file with another header of the right length, or of another."""
    length = int.from_bytes(content[:8], "little")
    tree: Any = json.loads(content[8 : 8 + length])
    header = utf8(json.dumps(data.draw(changed_tree(tree, values=VALUES))))
    told = len(header) if data.draw(st.booleans()) else data.draw(st.integers(0, 2**64 - 1))
    return told.to_bytes(8, "little") + header + content[8 + length :]


@given(st.data())
def test_changed_headers_of_a_safetensors_file(data: st.DataObject) -> None:
    check_file("x.safetensors", header_changed(SINGLE(), data))


@given(st.sampled_from([CONFIG, CONFIG, MODEL, CARD, SUMS]), st.data())
def test_changed_releases(changed: str, data: st.DataObject) -> None:
    files = dict(release())
    match changed:
        case "config.json":
            tree = data.draw(changed_tree(json.loads(files[CONFIG]), values=VALUES))
            files[CONFIG] = utf8(json.dumps(tree))
        case "model.safetensors":
            files[MODEL] = data.draw(
                st.one_of(changed_bytes([files[MODEL]]), st.just(header_changed(files[MODEL], data)))
            )
        case "SHA256SUMS":
            files[SUMS] = utf8(data.draw(changed_lines([files[SUMS].decode()])))
        case _:
            files[CARD] = data.draw(changed_bytes([files[CARD]]))
    if changed != SUMS and data.draw(st.integers(0, 3)):  # mostly signed anew, so that the content itself is read
        sums = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in (MODEL, CONFIG, CARD))
        files[SUMS] = "".join(sums).encode()
    for name in data.draw(st.sets(st.sampled_from(sorted(files)), max_size=1)) if data.draw(st.booleans()) else ():
        del files[name]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        check(Path(folder))
