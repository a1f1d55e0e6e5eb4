"""Releases: written, read back, and refused where anything in the folder is not as it was written."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from src.method.load import load_methods
from src.model.checkpoint import load_checkpoint
from src.model.release import is_release, load_generator, load_release, write_release
from src.system.errors import UserError
from tests.helpers.tiny_files import TINY


@pytest.fixture
def release(checkpoint_file: Path, tmp_path: Path) -> Path:
    write_release(load_checkpoint(checkpoint_file), tmp_path / "release", "# A card\n")
    return tmp_path / "release"


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_release(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def signed_again(folder: Path) -> None:
    """Make the checksums fit the files: what is tested is the file's content."""
    names = ("model.safetensors", "config.json", "README.md")
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(sums))


def test_a_release_is_the_checkpoint(release: Path, checkpoint_file: Path) -> None:
    old, new = load_checkpoint(checkpoint_file), load_generator(release)
    assert {path.name for path in release.iterdir()} == {"model.safetensors", "config.json", "README.md", "SHA256SUMS"}
    assert (new.config, new.epoch, new.iterations, new.weights) == (TINY, old.epoch, old.iterations, old.weights)
    for name, tensor in old.generator.state_dict().items():
        assert torch.equal(tensor, new.generator.state_dict()[name]), name
    assert not any(parameter.requires_grad for parameter in new.generator.parameters())


def test_bfloat16_halves_the_weights_and_keeps_the_statistics(checkpoint_file: Path, tmp_path: Path) -> None:
    old = load_checkpoint(checkpoint_file)
    write_release(old, tmp_path / "half", "card", "bfloat16")
    kinds = {
        name: tensor.dtype for name, tensor in safetensors.torch.load_file(tmp_path / "half/model.safetensors").items()
    }
    for name, tensor in old.generator.state_dict().items():
        weight = name in dict(old.generator.named_parameters())
        assert kinds[name] == (torch.bfloat16 if weight else tensor.dtype), name
    new = load_generator(tmp_path / "half").generator
    for name, parameter in old.generator.named_parameters():
        assert torch.equal(new.get_parameter(name), parameter.bfloat16().float()), name


def test_nothing_of_the_machine_is_in_it(checkpoint_file: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(checkpoint_file)
    checkpoint.training.update(
        run_dir="/home/me/run",
        data={"train": ["/home/me/faces"], "val": ["/home/me/val"], "workers": 2, "degradation": "camera"},
        loss={"pixel": 1.0, "feature": {"weights": "/home/me/vgg.pth"}},
    )
    write_release(checkpoint, tmp_path / "release", "card")
    text = (tmp_path / "release/config.json").read_text()
    assert "/home" not in text
    training = json.loads(text)["training"]
    assert training["data"] == {"degradation": "camera"}
    assert training["loss"] == {"pixel": 1.0, "feature": {"weights": "vgg.pth"}}


def test_evaluation_takes_its_folder(release: Path) -> None:
    [method] = load_methods([str(release)], torch.device("cpu"))
    assert method.facts.checkpoint_sha256 == hashlib.sha256((release / "model.safetensors").read_bytes()).hexdigest()
    assert method(torch.zeros(2, 3, 16, 16)).image.shape == (2, 3, 128, 128)


def test_other_weights_than_it_holds_are_refused(release: Path) -> None:
    with pytest.raises(UserError, match="holds raw weights alone: leave out weights=averaged"):
        load_generator(release, "averaged")
    assert load_generator(release, "raw").weights == "raw"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "README.md"])
def test_a_changed_file_does_not_fit_its_checksum(release: Path, name: str) -> None:
    content = bytearray((release / name).read_bytes())
    content[len(content) // 2] ^= 1
    (release / name).write_bytes(content)
    assert f"{name} does not fit its checksum in SHA256SUMS" in refused(release)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "README.md", "SHA256SUMS"])
def test_a_missing_file_is_named(release: Path, name: str) -> None:
    (release / name).unlink()
    assert is_release(release)
    assert f"{name} cannot be read" in refused(release)


def test_a_checksum_that_is_missing_is_named(release: Path) -> None:
    lines = (release / "SHA256SUMS").read_text().splitlines(keepends=True)
    (release / "SHA256SUMS").write_text("".join(lines[:2]) + "not a checksum\n")
    assert "has no line for README.md" in refused(release)


def _changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def on(folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        change(values)
        (folder / "config.json").write_text(json.dumps(values))

    return on


def _tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def on(folder: Path) -> None:
        tensors = safetensors.torch.load_file(folder / "model.safetensors")
        change(tensors)
        safetensors.torch.save_file(tensors, folder / "model.safetensors")

    return on


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_changed(lambda values: values.update(more=1)), "its keys are"),
        (_changed(lambda values: values.update(layout=2)), "is not of layout 1"),
        (_changed(lambda values: values["training"].update(run_dir="x")), "training configuration is not one"),
        (_changed(lambda values: values.update(training=[])), "training configuration is not one"),
        (_changed(lambda values: values["training"].update(model=3)), "training configuration is not one"),
        (_changed(lambda values: values["training"]["model"]["generator"].update(more=1)), "more"),
        (_changed(lambda values: values.update(epoch="x")), "of the wrong kind"),
        (_tensors(lambda tensors: tensors.update(more=torch.zeros(1))), "has a tensor 'more' that the network lacks"),
        (_tensors(lambda tensors: tensors.pop(next(iter(tensors)))), "has no tensor"),
        (lambda folder: (folder / "config.json").write_text("[" * 9999), "is no JSON"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 99), "model.safetensors is damaged"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "model.safetensors is damaged"),
    ],
)
def test_what_does_not_fit_is_one_line(release: Path, change: Callable[[Path], None], words: str) -> None:
    change(release)
    signed_again(release)
    assert words in refused(release)
