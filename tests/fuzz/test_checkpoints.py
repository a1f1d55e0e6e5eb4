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
from src.model.light import LightConfig
from src.system.errors import UserError
from tests.helpers.fuzzing import PLAIN, changed_bytes, changed_tree, result_or_line
from tests.helpers.tiny_files import checkpoint_content


@cache
def content() -> dict[str, Any]:
    return checkpoint_content(LightConfig(width=8, blocks16=1, blocks32=1))


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


@given(st.one_of(st.binary(max_size=200), st.data()))
def test_changed_bytes(data: bytes | st.DataObject) -> None:
    check(data if isinstance(data, bytes) else data.draw(changed_bytes([saved(content())])))


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
