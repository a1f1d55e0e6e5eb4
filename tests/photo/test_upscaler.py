from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from src.image.crop import Square
from src.method.trained import Trained, load_trained
from src.model.checkpoint import load_checkpoint
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.model.program_file import program_bytes
from src.model.release import write_release
from src.model.single import single_bytes
from src.photo import FaceUpscaler, LeftOut, PhotoResult, UpscaledFace, upscaler
from src.photo.centerface import FoundFace
from src.photo.frames import cut, side_of, square_of
from src.system.errors import BadFace, UserError
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.tiny_files import checkpoint_content

BOXES = [(20, 20, 32, 36), (60, 30, 75, 50)]
"""Faces of 21 and 26 pixels."""


class Found:
    """A detector that finds the same faces everywhere."""

    name = "found"

    def find(self, image: np.ndarray) -> list[FoundFace]:
        return [FoundFace(box, 0.5 + number / 10) for number, box in enumerate(BOXES)]


@pytest.fixture
def own_size_file(tmp_path: Path) -> Path:
    heb = HEBConfig(resolution=32, stacks=1, width=16, depth=2)
    content = checkpoint_content(LightConfig(lr_side=32, width=16, blocks16=1, blocks32=1, heb=heb))
    content["hyper_parameters"]["data"]["own_size"] = [12, 40]
    torch.save(content, tmp_path / "own.ckpt")
    return tmp_path / "own.ckpt"


def test_the_faces_of_a_photograph_are_those_of_their_squares(own_size_file: Path) -> None:
    image = noise_picture(110, 90)
    result = FaceUpscaler.from_pretrained(own_size_file, device="cpu", detector=Found())(image)
    assert isinstance(result, PhotoResult)
    assert result.photograph is image
    assert [(face.box, face.score, face.own_size) for face in result.faces] == [
        (BOXES[0], 0.5, 21),
        (BOXES[1], 0.6, 26),
    ]
    method = load_trained(own_size_file, torch.device("cpu"))
    with torch.inference_mode():
        output = method(cut(image, [square_of(box) for box in BOXES], 32, (12, 40)))
    for number, face in enumerate(result.faces):
        assert isinstance(face, UpscaledFace)
        assert face.image.shape == (128, 128, 3)
        # The tiny network is untrained: its transform is the identity, so that it looks once.
        np.testing.assert_allclose(face.heatmaps, output.heatmaps[-1][number], atol=1e-4)
        assert list(face.confidence) == ["eyes", "nose", "mouth", "chin"]
        np.testing.assert_allclose(
            list(face.confidence.values()), output.heatmaps[-1][number].amax((1, 2)).clamp(0, 1), atol=1e-4
        )
    assert set(result.seconds) == {"read", "detect", "cut", "network"}
    assert result.pasted(2).shape == (180, 220, 3)


def test_the_matrix_leads_from_the_photograph_to_the_face(own_size_file: Path) -> None:
    result = FaceUpscaler.from_pretrained(own_size_file, device="cpu")(noise_picture(110, 90), BOXES[:1])
    x0, y0, x1, y1 = square_of(BOXES[0]).box
    corner = result.faces[0].matrix @ [x0 - 0.5, y0 - 0.5, 1]
    np.testing.assert_allclose(corner, [-0.5, -0.5], atol=1e-3)
    np.testing.assert_allclose(result.faces[0].matrix @ [x1 - 0.5, y1 - 0.5, 1], [127.5, 127.5], atol=1e-3)


def test_one_batch_gives_what_many_give(own_size_file: Path) -> None:
    image = noise_picture(110, 90)
    together, alone = (
        FaceUpscaler.from_pretrained(own_size_file, device="cpu", batch=batch)(image, BOXES) for batch in (64, 1)
    )
    for one, other in zip(together.faces, alone.faces, strict=True):
        assert np.abs(one.image.astype(int) - other.image).max() <= 1


def test_a_face_that_the_network_moves_is_cut_out_anew(own_size_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up = FaceUpscaler.from_pretrained(own_size_file, device="cpu")
    seen = []

    def turned(lr: torch.Tensor) -> object:
        output = load(lr)
        seen.append(lr.shape[0])
        output.matrix[:] = torch.eye(3)[:2]
        if len(seen) == 1:
            output.matrix[1] = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
        return output

    load = load_trained(own_size_file, torch.device("cpu"))
    turned.lr_side, turned.own_size = 32, (12, 40)  # type: ignore[attr-defined]
    up.method = turned  # type: ignore[assignment]
    image = noise_picture(110, 90)
    result = up(image, BOXES)
    assert seen == [2, 1]
    assert [face.square.roll for face in result.faces] == pytest.approx([0, np.pi / 2])
    with torch.inference_mode():
        again = load(cut(image, [Square(square_of(BOXES[1]).box, np.pi / 2)], 32, (12, 40)))
    wanted = upscaler.to_bytes(again.image)[0].numpy()
    assert np.abs(result.faces[1].image.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("box", "reason"),
    [((20, 20, 25, 26), "8 px is below the 12 px of the training"), ((0, 0, 60, 60), "90 px is above the 40 px"),
     ((-50, -50, -30, -30), "its square lies outside the photograph")],
)  # fmt: skip
def test_a_face_that_is_left_out_says_why(own_size_file: Path, box: tuple[float, ...], reason: str) -> None:
    image = noise_picture(110, 90)
    (left,) = FaceUpscaler.from_pretrained(own_size_file, device="cpu")(image, [box]).left_out
    assert isinstance(left, LeftOut)
    assert left.reason.startswith(reason)
    result = FaceUpscaler.from_pretrained(own_size_file, device="cpu", any_size=True)(image, [box])
    assert len(result.faces) == (0 if "outside" in reason else 1)


def test_a_network_of_16_pixels_takes_faces_near_them(checkpoint_file: Path) -> None:
    up = FaceUpscaler.from_pretrained(checkpoint_file, device="cpu")
    assert up.sizes == (12, 24)
    result = up(noise_picture(110, 90), BOXES)
    assert [len(result.faces), len(result.left_out)] == [1, 1]
    assert result.faces[0].image.shape == (128, 128, 3)


def test_a_path_a_picture_and_an_array_are_the_same(own_size_file: Path, tmp_path: Path) -> None:
    image, up = noise_picture(110, 90), FaceUpscaler.from_pretrained(own_size_file, device="cpu")
    exif = Image.Exif()
    exif[0x0112] = 6  # is shown turned clockwise
    Image.fromarray(np.ascontiguousarray(np.rot90(image))).save(tmp_path / "photo.png", exif=exif)
    ways = [image, tmp_path / "photo.png", str(tmp_path / "photo.png"), Image.open(tmp_path / "photo.png")]
    for way in ways:
        result = up(way, BOXES[:1])
        assert np.array_equal(result.photograph, image)
    grey = up(Image.fromarray(image[..., 0]).convert("LA"), BOXES[:1])
    assert np.array_equal(grey.photograph, image[..., :1].repeat(3, -1))


def test_a_release_folder_is_taken(own_size_file: Path, tmp_path: Path) -> None:
    write_release(load_checkpoint(own_size_file), tmp_path / "release", "card")
    image = noise_picture(110, 90)
    results = [
        FaceUpscaler.from_pretrained(path, device="cpu")(image, BOXES) for path in (own_size_file, tmp_path / "release")
    ]
    assert np.array_equal(results[0].faces[0].image, results[1].faces[0].image)


def test_what_is_no_picture_or_no_box_is_said(
    own_size_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = FaceUpscaler.from_pretrained(own_size_file, device="cpu")
    for wrong in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8), 7):
        with pytest.raises(ValueError, match=r"expected|without pixels"):
            up(wrong, [])  # type: ignore[arg-type]
    with pytest.raises(BadFace, match="cannot be read"):
        up(tmp_path / "none.jpg", [])
    for box in ((1, 1, 1, 5), (0, 0, float("nan"), 5)):
        with pytest.raises(UserError, match="no face box"):
            up(noise_picture(20, 20), [box])
    with pytest.raises(UserError, match="1 face or more"):
        FaceUpscaler.from_pretrained(own_size_file, batch=0)
    monkeypatch.setattr(upscaler, "RELEASED", tmp_path / "weights" / "photo")
    with pytest.raises(UserError, match=r"released network .* is not there"):
        FaceUpscaler.from_pretrained(tmp_path / "weights" / "photo")


@pytest.mark.parametrize("way", ["runtime", "onnx", "pt2", "safetensors"])
def test_a_network_gives_the_same_faces_wherever_it_is_computed(
    busy_file: Path, onnx_files: dict[bool, Path], tmp_path: Path, way: str
) -> None:
    """docs/export.md: heatmaps and transforms differ by less than 1e-5, pictures by a level at most."""
    checkpoint, runtime = load_checkpoint(busy_file), "onnxruntime" if way == "runtime" else "torch"
    path = {"runtime": busy_file, "onnx": onnx_files[False]}.get(way, tmp_path / f"model.{way}")
    if way in ("pt2", "safetensors"):
        path.write_bytes(program_bytes(checkpoint) if way == "pt2" else single_bytes(checkpoint))
    photograph = np.asarray(Image.fromarray(noise_picture(11, 9)).resize((110, 90)))
    eager, other = (
        FaceUpscaler.from_pretrained(one, device="cpu", runtime=kind, any_size=True)(photograph, BOXES)
        for one, kind in ((busy_file, "torch"), (path, runtime))
    )
    assert len(eager.faces) == len(other.faces) == 2
    assert eager.faces[0].image.std() > 1, "nothing to compare"
    for mine, theirs in zip(eager.faces, other.faces, strict=True):
        assert np.abs(mine.image.astype(int) - theirs.image).max() <= 1
        np.testing.assert_allclose(mine.heatmaps, theirs.heatmaps, atol=1e-5)
        np.testing.assert_allclose(mine.matrix, theirs.matrix, atol=1e-3)  # in pixels of the photograph


def test_onnx_runtime_is_what_computes(busy_file: Path, onnx_files: dict[bool, Path]) -> None:
    for path, runtime in ((busy_file, "onnxruntime"), (onnx_files[False], "torch")):
        network = FaceUpscaler.from_pretrained(path, device="cpu", runtime=runtime).method
        assert isinstance(network, Trained)
        assert network.runtime == "ONNX Runtime float32"
    with pytest.raises(UserError, match="holds raw weights alone"):
        FaceUpscaler.from_pretrained(onnx_files[False], device="cpu", weights="averaged")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bicubic", "bicubic is a method without a network: give a release's folder, a checkpoint, a .onnx"),
        ("none/at_all", "none/at_all does not exist: give .*, or hub:OWNER/NAME"),
        ("hub:none", "none is neither a folder nor the name of a release on the hub"),
        ("{}/dictionary.safetensors", r"does not say which network it is of \(a dictionary of faces is of none\)"),
        ("{}/text.onnx", "is no ONNX model, or is damaged"),
        ("{}/text.pt2", "no .pt2 file"),
        ("{}/text.ckpt", "is no checkpoint"),
        ("{}", "is a folder: give one that src.train wrote"),
    ],
)
def test_what_is_no_network_is_one_line(tmp_path: Path, name: str, words: str) -> None:
    for kind in ("onnx", "pt2", "ckpt"):
        (tmp_path / f"text.{kind}").write_text("a text")
    save_file({"faces": torch.zeros(1)}, tmp_path / "dictionary.safetensors", {"mtun_dictionary": "{}"})
    with pytest.raises(UserError, match=words) as caught:
        FaceUpscaler.from_pretrained(name.format(tmp_path), device="cpu")
    assert "\n" not in str(caught.value)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "matrix",
    [
        [[NAN] * 3] * 2, [[INF, 0, 0], [0, 1, 0]], [[1e30, 0, 0], [0, 1e30, 0]], [[0, 0, 0], [0, 0, 0]],
        [[1000, 0, 0], [0, 1000, 0]], [[1, 0, 1e20], [0, 1, 0]], [[1e-9, 0, 0], [0, 1e-9, 0]],
    ],
)  # fmt: skip
def test_a_face_that_is_nowhere_near_its_square_is_left_out(own_size_file: Path, matrix: list[list[float]]) -> None:
    """Of two faces, one has a transform that no face has: crops of such squares would take any memory."""
    up = FaceUpscaler.from_pretrained(own_size_file, device="cpu")
    load = up.method

    def wild(lr: torch.Tensor) -> object:
        output = load(lr)
        output.matrix[0] = torch.tensor(matrix)
        return output

    wild.lr_side, wild.own_size = 32, (12, 40)  # type: ignore[attr-defined]
    up.method = wild  # type: ignore[assignment]
    result = up(noise_picture(110, 90), BOXES)
    assert [(face.box, face.reason) for face in result.left_out] == [
        (BOXES[0], "the network finds no upright face in it")
    ]
    assert [face.box for face in result.faces] == [BOXES[1]]
    assert result.pasted(1).shape == (90, 110, 3)


def test_a_second_look_that_finds_nothing_leaves_the_first(own_size_file: Path) -> None:
    up = FaceUpscaler.from_pretrained(own_size_file, device="cpu")
    load, seen = up.method, []

    def worse(lr: torch.Tensor) -> object:
        output = load(lr)
        seen.append(len(lr))
        output.matrix[:] = torch.tensor([[0.5, 0, 0], [0, 0.5, 0]]) if len(seen) == 1 else NAN
        if len(seen) == 2:
            output.image[:] = NAN
        return output

    worse.lr_side, worse.own_size = 32, (12, 40)  # type: ignore[attr-defined]
    up.method = worse  # type: ignore[assignment]
    result = up(noise_picture(110, 90), BOXES)
    assert seen == [2, 2]
    assert [side_of(face.square) for face in result.faces] == [10.5, 13]
    with torch.inference_mode():
        first = load(cut(noise_picture(110, 90), [square_of(box) for box in BOXES], 32, (12, 40)))
    wanted = upscaler.to_bytes(first.image)[0].numpy()
    assert np.abs(result.faces[0].image.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("value", [["x", 2], [40, 12], [12], 7, [0, 5], [INF, 3]])
def test_own_sizes_that_are_none_are_one_line(tmp_path: Path, value: object) -> None:
    content = checkpoint_content(LightConfig(lr_side=32, width=16, heb=HEBConfig(resolution=32, stacks=1, width=16)))
    content["hyper_parameters"]["data"]["own_size"] = value
    torch.save(content, tmp_path / "a.ckpt")
    up = FaceUpscaler.from_pretrained(tmp_path / "a.ckpt", device="cpu")
    with pytest.raises(UserError, match=r"a\.ckpt: its data\.own_size is damaged"):
        up(noise_picture(110, 90), BOXES)
