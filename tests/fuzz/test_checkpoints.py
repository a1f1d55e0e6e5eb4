"""Checkpoints of any content end in a network or in one line."""

import io
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from src.model.checkpoint import load_checkpoint
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.system.errors import UserError
from tests.helpers.fuzzing import PLAIN, changed_bytes, changed_tree, result_or_line
from tests.helpers.tiny_files import checkpoint_content

SMALLEST = LightConfig(
    width=8, width64=8, stem=1, blocks16=1, blocks8=0, blocks4=0, blocks32=1, positions=0, attention=False,
    localisation="none", heb=HEBConfig(enabled=True, resolution=32, stacks=1, width=8, depth=1),
)  # fmt: skip


@cache
def content() -> dict[str, Any]:
    """A checkpoint of hardly any network."""
    return checkpoint_content(SMALLEST)


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def check(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.ckpt")
        path.write_bytes(data)
        found = result_or_line(lambda: load_checkpoint(path))
    if not isinstance(found, UserError):
        assert all(tensor.isfinite().all() for tensor in found.generator.state_dict().values())


@given(st.one_of(st.binary(max_size=200), changed_bytes([saved(content())])))
def test_changed_bytes(data: bytes) -> None:
    check(data)


@given(st.data())
def test_changed_records_whose_checksums_hold(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(content()))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            record = old.read(name)
            new.writestr(
                name, data.draw(changed_bytes([record], 2)) if name.endswith(("data.pkl", "version")) else record
            )
    check(buffer.getvalue())


@given(changed_tree(content()))
def test_changed_values(value: Any) -> None:
    check(saved(value))


@given(st.data())
def test_changed_configurations(data: st.DataObject) -> None:
    tree, values = content(), st.one_of(PLAIN, st.sampled_from([0, -1, 2**31, 10**12, 0.5, 1e300, True, None, [], {}]))
    model = {"generator": data.draw(changed_tree(tree["hyper_parameters"]["model"]["generator"], values=values))}
    check(saved({**tree, "hyper_parameters": {**tree["hyper_parameters"], "model": model}}))
