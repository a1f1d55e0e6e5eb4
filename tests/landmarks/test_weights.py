import hashlib
import os
import pickle
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from src.landmarks import weights
from src.landmarks.load import load_into
from src.landmarks.weights import cache_folder, library_file, library_weights, read_onnx_file
from src.system.errors import UserError
from tests.helpers.tiny_onnx import SHARED


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch hub."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    assert cache_folder() == folder
    return folder


def named(folder: Path, kind: str, data: bytes, ending: str = ".pth.tar") -> Path:
    """A file with the first ten digits of its SHA-256 in its name."""
    path = folder / f"{kind}-{hashlib.sha256(data).hexdigest()[:10]}{ending}"
    path.write_bytes(data)
    return path


def saved(folder: Path, values: object, kind: str = "depth") -> Path:
    torch.save(values, folder / "saving")
    data = (folder / "saving").read_bytes()
    (folder / "saving").unlink()
    return named(folder, kind, data)


def refused(call: Callable[[], object], match: str) -> str:
    with pytest.raises(UserError, match=match) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_any_file_is_taken_whose_name_tells_its_sum(tmp_path: Path) -> None:
    path = named(tmp_path, "2DFAN4", b"weights")
    named(tmp_path, "3DFAN4", b"others")
    named(tmp_path, "s3fd", b"detector", ".pth")
    found = library_weights("2DFAN4", str(tmp_path))
    assert (found.path, found.sha256) == (path, hashlib.sha256(b"weights").hexdigest())
    assert library_weights("s3fd", str(tmp_path)).path.suffix == ".pth"


def test_a_cut_or_renamed_file_is_refused(tmp_path: Path) -> None:
    path = named(tmp_path, "2DFAN4", b"weights" * 100)
    os.truncate(path, 300)
    begins = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    said = refused(lambda: library_weights("2DFAN4", str(tmp_path)), "is cut short or another file: its sha256 begins")
    assert f"begins with {begins}, its name says {path.name[7:17]}; fetch it again from https://" in said


def test_a_folder_is_looked_at_alone(tmp_path: Path, hub: Path) -> None:
    named(hub, "2DFAN4", b"in the cache")
    said = refused(lambda: library_weights("2DFAN4", str(tmp_path)), r"holds no 2DFAN4-\*\.pth\*")
    assert "2DFAN4-11f355bf06.pth.tar" in said
    assert "landmarks=onnx" in said
    refused(lambda: library_weights("2DFAN4", str(tmp_path / "none")), r"landmarks\.weights=.*none does not exist")
    file = tmp_path / "file"
    file.touch()
    refused(lambda: library_weights("2DFAN4", str(file)), "is not a folder")


def test_two_candidates_are_told(tmp_path: Path) -> None:
    named(tmp_path, "2DFAN4", b"one")
    named(tmp_path, "2DFAN4", b"two")
    refused(lambda: library_weights("2DFAN4", str(tmp_path)), r"holds 2 files for 2DFAN4 .*: leave one there")


def test_the_cache_of_torch_hub(hub: Path) -> None:
    assert library_file("depth", None) is None
    own = named(hub, "depth", b"own")
    assert library_weights("depth", None).path == own
    usual = hub / Path(weights.URLS["depth"]).name
    usual.write_bytes(b"not what it should be")
    assert library_file("depth", None) == usual  # the library's own goes first
    refused(lambda: library_weights("depth", None), "its name says 2a464da4ea")


def serve(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(weights, "URLS", {"2DFAN4": path.as_uri()})


@pytest.mark.usefixtures("capsys")
def test_a_download_goes_to_the_cache(tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = named(tmp_path, "2DFAN4", b"from far away")
    serve(monkeypatch, server)
    timeout = socket.getdefaulttimeout()
    assert library_weights("2DFAN4", None).path == hub / server.name
    assert socket.getdefaulttimeout() == timeout
    server.unlink()
    assert library_weights("2DFAN4", None).path.read_bytes() == b"from far away"


@pytest.mark.usefixtures("capsys")
def test_a_download_with_another_sum_is_not_kept(tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = named(tmp_path, "2DFAN4", b"from far away")
    server.write_bytes(b"a login page")
    serve(monkeypatch, server)
    refused(lambda: library_weights("2DFAN4", None), "cannot be fetched .*invalid hash")
    assert list(hub.iterdir()) == []


@pytest.mark.usefixtures("capsys")
def test_no_network_names_the_ways_out(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    url = "http://127.0.0.1:9/2DFAN4-11f355bf06.pth.tar"  # nothing listens there
    monkeypatch.setattr(weights, "URLS", {"2DFAN4": url})
    said = refused(lambda: library_weights("2DFAN4", None), "cannot be fetched .*refused")
    for part in ("2DFAN4-11f355bf06.pth.tar", url, str(hub), "landmarks.weights=DIR", "landmarks=onnx"):
        assert part in said


def norm() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))


def test_weights_are_loaded_from_both_forms(tmp_path: Path) -> None:
    source = norm()
    values = source.state_dict()
    old = {name: value for name, value in values.items() if "num_batches_tracked" not in name}
    wrapped = {"state_dict": {f"module.{name}": value for name, value in old.items()}, "best": np.float64(1.5)}
    for content in (values, old, wrapped):
        network = norm()
        load_into(network, saved(tmp_path, content))
        assert torch.equal(network[0].weight, source[0].weight)  # type: ignore[index]


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "was here",)

    refused(lambda: load_into(norm(), saved(tmp_path, {"weight": Payload()})), "holds more than weights")
    refused(lambda: load_into(norm(), named(tmp_path, "depth", pickle.dumps(Payload(), 2))), "is no|holds more")
    assert not (tmp_path / "was here").exists()


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    values = norm().state_dict()
    lacking = {name: value for name, value in values.items() if name != "0.bias"}
    refused(lambda: load_into(norm(), saved(tmp_path, lacking)), r"does not fit Sequential \(lacks 0\.bias\)")
    other = {**values, "0.weight": torch.zeros(3, 1, 1, 1)}
    refused(lambda: load_into(norm(), saved(tmp_path, other)), r"another shape of 0\.weight\)")
    more = {**values, "2.weight": torch.zeros(1), "3.weight": torch.zeros(1)}
    refused(lambda: load_into(norm(), saved(tmp_path, more)), r"an unknown 2\.weight and 1 more\)")
    refused(lambda: load_into(norm(), saved(tmp_path, [1, 2])), "no dict of tensors")
    refused(lambda: load_into(norm(), named(tmp_path, "depth", b"<html>")), "is no file that torch can load|holds more")


def test_listed_sums_of_onnx_files(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(b"model")
    assert read_onnx_file(path) == b"model"
    digest = hashlib.sha256(b"model").hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"# mine\n\n{'0' * 64}  other.onnx\n{digest.upper()} *own.onnx\n")
    assert read_onnx_file(path) == b"model"
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  own.onnx\n")
    said = refused(lambda: read_onnx_file(path), "is cut short or another file")
    assert f"begins with {digest[:10]}, SHA256SUMS says 0000000000" in said
    (tmp_path / "SHA256SUMS").write_text("sha256 of own.onnx\n")
    refused(lambda: read_onnx_file(path), r"SHA256SUMS, line 1 is not")


def test_known_onnx_files(tmp_path: Path) -> None:
    path = tmp_path / "pfld68.onnx"
    path.write_bytes(b"model")
    refused(lambda: read_onnx_file(path), r"begins with 9372c470ee, this version says 7d7bbd5c6a; fetch it again")
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(b'model').hexdigest()}  pfld68.onnx\n")
    assert read_onnx_file(path) == b"model"  # a file of one's own, vouched for


@pytest.mark.parametrize("name", ["pfld68.onnx", "rfb320.onnx"])
def test_the_real_files_have_the_known_sums(tmp_path: Path, name: str) -> None:
    path = SHARED / "weights" / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    assert len(read_onnx_file(path)) > 1_000_000
    shutil.copyfile(path, tmp_path / name)
    os.truncate(tmp_path / name, 100_000)
    refused(lambda: read_onnx_file(tmp_path / name), "is cut short or another file")
