"""The upscaler of photographs and the hub: saved, pushed, and pulled from a server that cuts the transfer."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from src.method import network
from src.model.checkpoint import load_checkpoint
from src.model.hub import pull
from src.model.release import verify, write_release
from src.photo import FaceUpscaler
from src.system.errors import UserError
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.hub_server import Hub, hub_of

NAME = "someone/tiny"
ROOT = Path(__file__).resolve().parents[2]
BOX = (20, 20, 32, 36)
FILES = {"model.safetensors", "config.json", "README.md", "SHA256SUMS"}


@pytest.fixture
def release(busy_file: Path, tmp_path: Path) -> Path:
    write_release(load_checkpoint(busy_file), tmp_path / "release", "# A card with terms\n")
    return tmp_path / "release"


@pytest.fixture
def hub(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    import huggingface_hub.file_download

    monkeypatch.setattr(huggingface_hub.file_download.time, "sleep", lambda seconds: None)  # between its tries
    with hub_of(release, NAME) as server:
        monkeypatch.setattr(network, "pull", lambda name: pull(name, server.address, tmp_path / "cache"))
        yield server


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_network_is_pulled_used_and_saved_as_it_was(hub: Hub, release: Path, tmp_path: Path) -> None:
    pulled = FaceUpscaler.from_pretrained(f"hub:{NAME}", device="cpu")
    pulled.save_pretrained(tmp_path / "saved")
    assert contents(tmp_path / "saved") == contents(release), "its card has the terms of the weights"
    image = noise_picture(110, 90)
    faces = [
        FaceUpscaler.from_pretrained(path, device="cpu")(image, [BOX]).faces[0].image
        for path in (release, tmp_path / "saved")
    ]
    assert np.array_equal(pulled(image, [BOX]).faces[0].image, faces[0])
    assert np.array_equal(*faces)


def test_a_cut_transfer_is_no_network(hub: Hub) -> None:
    hub.cut = {"model.safetensors"}
    with pytest.raises(UserError, match=f"{NAME} cannot be downloaded") as caught:
        FaceUpscaler.from_pretrained(f"hub:{NAME}", device="cpu")
    assert "\n" not in str(caught.value)
    hub.cut, hub.lie = set(), {"model.safetensors"}
    with pytest.raises(UserError, match=r"does not fit its checksum|cannot be downloaded"):
        FaceUpscaler.from_pretrained(f"hub:{NAME}", device="cpu")
    hub.lie = set()
    assert FaceUpscaler.from_pretrained(f"hub:{NAME}", device="cpu").sizes == (12, 24)


def test_a_checkpoint_is_saved_with_a_card_that_knows_nothing(busy_file: Path, tmp_path: Path) -> None:
    FaceUpscaler.from_pretrained(busy_file, device="cpu").save_pretrained(tmp_path / "saved")
    verify(tmp_path / "saved")
    assert {file.name for file in (tmp_path / "saved").iterdir()} == FILES
    assert "Terms: Not known" in (tmp_path / "saved/README.md").read_text()
    again = FaceUpscaler.from_pretrained(tmp_path / "saved", device="cpu").method.checkpoint  # type: ignore[attr-defined]
    for name, tensor in load_checkpoint(busy_file).generator.state_dict().items():
        assert torch.equal(tensor, again.generator.state_dict()[name]), name


def test_what_is_there_stays(release: Path, onnx_files: dict[bool, Path], tmp_path: Path) -> None:
    up = FaceUpscaler.from_pretrained(release, device="cpu")
    before = contents(release)
    with pytest.raises(UserError, match="holds a release already: overwrite=True"):
        up.save_pretrained(release)
    up.save_pretrained(release, overwrite=True)
    assert contents(release) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        up.save_pretrained(tmp_path / "mine", overwrite=True)
    with pytest.raises(UserError, match="is a file"):
        up.save_pretrained(tmp_path / "mine" / "a.txt")
    with pytest.raises(UserError, match="cannot be written"):
        up.save_pretrained(tmp_path / "mine" / "a.txt" / "below")
    (release / "README.md").write_text("other terms")
    with pytest.raises(UserError, match=r"README\.md does not fit its checksum"):
        up.save_pretrained(tmp_path / "changed")
    assert not (tmp_path / "changed").exists()
    with pytest.raises(UserError, match="has no weights to write"):
        FaceUpscaler.from_pretrained(onnx_files[False], device="cpu").save_pretrained(tmp_path / "other")


def test_a_release_is_pushed_whole(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    pushed: dict[str, bytes] = {}

    class Recorded:
        commit_url = "https://hub/commit/1"

        def __init__(self, endpoint: str | None) -> None: ...

        def create_repo(self, name: str, private: bool, exist_ok: bool) -> None:
            pushed[name] = b"private" if private else b"public"

        def upload_folder(self, folder_path: Path, **words: object) -> "Recorded":
            pushed.update(contents(folder_path))
            return self

    monkeypatch.setattr(huggingface_hub, "HfApi", Recorded)
    up = FaceUpscaler.from_pretrained(release, device="cpu")
    assert up.push_to_hub(NAME) == "https://hub/commit/1"
    assert pushed == {NAME: b"private", **contents(release)}
    assert up.push_to_hub(NAME, private=False)
    assert pushed[NAME] == b"public"
    for name in ("tiny", "a/..", "../a"):
        with pytest.raises(UserError, match="is no name on the hub"):
            up.push_to_hub(name)


def test_the_command_takes_a_release_on_the_hub(release: Path, tmp_path: Path) -> None:
    """With huggingface_hub's own variables: HF_ENDPOINT is the hub, HF_HOME the user's cache folder."""
    Image.fromarray(noise_picture(110, 90)).save(tmp_path / "a.png")
    (tmp_path / "boxes.csv").write_text("file,x0,y0,x1,y1\na.png,20,20,32,36\n")

    def upscale(name: str) -> subprocess.CompletedProcess[str]:
        words = ["a.png", "--boxes", "boxes.csv", "--device", "cpu", "--method", f"hub:{name}"]
        home = {"HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-m", "src.upscale", *words], cwd=tmp_path, env={**os.environ, **home},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    with hub_of(release, NAME) as server:
        done = upscale("someone/other")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "error: no release is called someone/other on the hub, or it is private: check its name\n"
        )
        done = upscale(NAME)
    assert done.stdout == "a.png > upscaled/a_1.png\n", done.stderr
    assert done.returncode == 0
    assert any((tmp_path / "home").rglob("model.safetensors"))
