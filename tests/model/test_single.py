"""A generator in one `.safetensors` or `.pt2` file: read back bit for bit, refused where it does not fit."""

import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from src.method.load import load_file
from src.model.checkpoint import load_checkpoint
from src.model.program_file import program_bytes
from src.model.release import load_generator
from src.model.single import is_single, single_bytes
from src.system.errors import UserError
from tests.helpers.tiny_files import TINY, checkpoint_content

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def program(checkpoint_file: Path) -> bytes:
    return program_bytes(load_checkpoint(checkpoint_file))


@pytest.fixture
def single(checkpoint_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(single_bytes(load_checkpoint(checkpoint_file)))
    return path


@pytest.fixture(params=["single", "program"])
def file(request: pytest.FixtureRequest, single: Path, program: bytes, tmp_path: Path) -> Path:
    if request.param == "single":
        return single
    (tmp_path / "model.pt2").write_bytes(program)
    return tmp_path / "model.pt2"


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_generator(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_is_the_checkpoint(file: Path, checkpoint_file: Path) -> None:
    old, new = load_checkpoint(checkpoint_file), load_generator(file)
    assert (new.config, new.epoch, new.iterations, new.weights) == (old.config, old.epoch, old.iterations, old.weights)
    assert new.generator.state_dict().keys() == old.generator.state_dict().keys()
    for name, tensor in old.generator.state_dict().items():
        assert torch.equal(tensor, new.generator.state_dict()[name]), name


def test_it_is_a_method(file: Path) -> None:
    method = load_file(file, CPU)
    assert method.name == "tiny"
    assert method(torch.zeros(2, 3, 16, 16)).image.shape == (2, 3, 128, 128)


def test_no_file_is_unpickled(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*words: object, **more: object) -> None:
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)
    monkeypatch.setattr(torch, "load", never)
    load_generator(file)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_that_is_cut_short_is_refused(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    assert "damaged" in refused(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "a.safetensors")
    assert "No such file" in refused(tmp_path / "a.pt2")


def test_a_safetensors_file_of_something_else_says_so(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    assert "does not say which network it is of" in refused(path)
    assert not is_single(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors, said: tensors.update(more=torch.zeros(1)), "has a tensor 'more' that the network lacks"),
        (lambda tensors, said: tensors.pop(next(iter(tensors))), "has no tensor"),
        (lambda tensors, said: said.update(mtun="{}"), "is not of layout 1"),
        (lambda tensors, said: said.update(mtun=json.dumps({**json.loads(said["mtun"]), "more": 1})), "its keys are"),
    ],
)
def test_what_does_not_fit_is_refused(
    single: Path, change: Callable[[dict[str, torch.Tensor], dict[str, str]], object], words: str
) -> None:
    with safetensors.safe_open(single, framework="pt") as file:
        said = dict(file.metadata())
    tensors = safetensors.torch.load_file(single)
    change(tensors, said)
    safetensors.torch.save_file(tensors, single, said)
    assert words in refused(single)


@pytest.mark.parametrize(
    ("entry", "change", "words"),
    [
        ("data/weights/model_weights_config.json", ('"use_pickle": false', '"use_pickle": true'), "no plain tensor"),
        ("data/weights/model_weights_config.json", ('"as_int"', '"as_expr"'), "cannot be read"),
        ("data/weights/model_weights_config.json", ("weight_1", "nowhere"), "has no data/weights/nowhere"),
        ("extra/mtun", ('"layout"', '"lay"'), "is not of layout 1"),
    ],
)
def test_a_program_that_is_not_ours_is_refused(
    program: bytes, tmp_path: Path, entry: str, change: tuple[str, str], words: str
) -> None:
    whole, path = tmp_path / "whole.pt2", tmp_path / "bad.pt2"
    whole.write_bytes(program)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(*map(str.encode, change), 1) if name.endswith(entry) else content)
    assert words in refused(path)


def test_a_tensor_without_numbers_is_read_again(tmp_path: Path) -> None:
    """`positions=0`: torch gives its strides as 256, as if it had one channel."""
    torch.save(checkpoint_content(replace(TINY, positions=0)), tmp_path / "a.ckpt")
    (tmp_path / "a.pt2").write_bytes(program_bytes(load_checkpoint(tmp_path / "a.ckpt")))
    assert load_generator(tmp_path / "a.pt2").generator.state_dict()["trunk.positions"].shape == (1, 0, 16, 16)


def test_no_path_of_the_machine_is_in_it(program: bytes) -> None:
    assert str(Path(__file__).parents[2]).encode() not in program
