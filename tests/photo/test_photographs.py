import hashlib
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, UnidentifiedImageError
from safetensors.torch import load, save

from src.image.colour import adobe_rgb
from src.model.checkpoint import load_checkpoint
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.model.release import write_release
from src.model.single import single_bytes
from src.photo import outputs
from src.photo.outputs import is_result, marked_png
from src.upscale import main
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.tiny_files import checkpoint_content

Run = Callable[..., int]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    heb = HEBConfig(resolution=32, stacks=1, width=16, depth=2)
    content = checkpoint_content(LightConfig(lr_side=32, width=16, blocks16=1, blocks32=1, heb=heb))
    content["hyper_parameters"]["data"]["own_size"] = [12, 40]
    path = tmp_path_factory.mktemp("network") / "own.ckpt"
    torch.save(content, path)
    return path


@pytest.fixture
def run(network: Path, tmp_path: Path) -> Run:
    """Runs the command on `in` with the boxes of `boxes.csv`."""

    def _run(
        *words: str, rows: str = "a.png,20,20,32,36\na.png,60,30,75,50\n", paths: tuple[str, ...] = ("in",)
    ) -> int:
        (tmp_path / "boxes.csv").write_text(f"file,x0,y0,x1,y1\n{rows}")
        (tmp_path / "in").mkdir(exist_ok=True)
        return main([
            *(str(tmp_path / path) for path in paths), "--method", str(network), "--device", "cpu",
            "--boxes", str(tmp_path / "boxes.csv"), "--out", str(tmp_path / "out"), *words,
        ])  # fmt: skip

    (tmp_path / "in").mkdir()
    return _run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def photo(path: Path, **options: object) -> np.ndarray:
    image = noise_picture(110, 90)
    Image.fromarray(image).save(path, **options)
    return image


def test_each_face_the_photograph_and_what_is_known_of_it_are_written(run: Run, tmp_path: Path) -> None:
    photo(tmp_path / "in" / "a.png")
    assert run("--paste", "--heatmaps", "--json") == 0
    out = tmp_path / "out"
    assert names(out) == ["a.json", "a_1.png", "a_1_heatmaps.png", "a_2.png", "a_2_heatmaps.png", "a_upscaled.png"]
    told = json.loads((out / "a.json").read_text())
    assert [face["file"] for face in told["faces"]] == ["a_1.png", "a_2.png"]
    assert [face["own_size"] for face in told["faces"]] == [21, 26]
    assert told["faces"][0]["box"] == [20, 20, 32, 36]
    assert np.shape(told["faces"][0]["matrix"]) == (2, 3)
    assert set(told["seconds"]) == {"read", "detect", "cut", "network", "paste"}
    with Image.open(out / "a_upscaled.png") as pasted:
        assert pasted.size == (round(110 * 6.09), round(90 * 6.09))  # 128 / 21
    with Image.open(out / "a_1.png") as face:
        assert face.size == (128, 128)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp"])
def test_the_format_stays_and_a_result_is_no_photograph(
    run: Run, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(tmp_path / "in" / f"a.{suffix}")
    assert run("--paste", rows=f"a.{suffix},20,20,32,36\n") == 0
    pasted = tmp_path / "out" / f"a_upscaled.{'png' if suffix == 'bmp' else suffix}"
    with Image.open(pasted) as image:
        assert image.size == (670, 548)
    assert is_result(pasted)
    assert is_result(tmp_path / "out" / "a_1.png")
    assert not is_result(tmp_path / "in" / f"a.{suffix}")
    assert run("--paste", paths=("out",)) == 1
    assert "no picture in this folder but the results" in capsys.readouterr().err


def test_orientation_colours_and_metadata(run: Run, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[315], exif[305] = 6, "Somebody", "a camera"
    exif.get_ifd(0x8769).update({0x9003: "2020:01:02 03:04:05", 0xA001: 65535, 0xA002: 90})
    shown = np.full((110, 90, 3), (200, 60, 60), np.uint8)  # as stored, turned
    Image.fromarray(shown).save(tmp_path / "in" / "a.jpg", exif=exif, icc_profile=adobe_rgb(), quality=100)
    assert run("--paste", "--scale", "2", rows="a.jpg,20,20,32,36\n") == 0
    with Image.open(tmp_path / "out" / "a_upscaled.jpg") as pasted:
        assert pasted.size == (220, 180)
        found = pasted.getexif()
        assert found.get(0x0112, 1) == 1
        assert (found[315], found[305]) == ("Somebody", "MTUN upscale")
        assert found.get_ifd(0x8769) == {0x9003: "2020:01:02 03:04:05", 0xA001: 1}
        assert "icc_profile" not in pasted.info
        corner = np.asarray(pasted)[-20:, -20:].mean((0, 1))
    source = ImageCms.ImageCmsProfile(BytesIO(adobe_rgb()))
    srgb = ImageCms.profileToProfile(Image.new("RGB", (1, 1), (200, 60, 60)), source, ImageCms.createProfile("sRGB"), 1)
    assert np.abs(corner - srgb.getpixel((0, 0))).max() < 3


def test_transparency_stays(run: Run, tmp_path: Path) -> None:
    pixels = np.dstack([noise_picture(110, 90) // 2 + 60, np.full((90, 110), 255, np.uint8)])
    pixels[:, 90:, 3], pixels[:10, :, 3] = 0, 128
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    assert run("--paste", "--scale", "1", rows="a.png,20,40,32,56\n") == 0
    with Image.open(tmp_path / "out" / "a_upscaled.png") as pasted:
        found = np.asarray(pasted)
    assert np.array_equal(found[..., 3], pixels[..., 3])
    assert np.abs(found[:10, :80, :3].astype(int) - pixels[:10, :80, :3]).max() <= 2


def test_no_face_is_said_and_no_failure(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "b.png")
    assert run("--paste", rows="b.png,0,0,5,5\n") == 0
    told = capsys.readouterr()
    assert told.out == (
        f"{tmp_path / 'in/a.png'}: no box is listed for it\n{tmp_path / 'in/b.png'}: no face that can be upscaled\n"
    )
    assert told.err == (
        f"warning: {tmp_path / 'in/b.png'}: the face at 0,0,5,5 is left out: 8 px is below the 12 px of the training; "
        "--any-size takes it\n"
    )
    assert names(tmp_path / "out") == []
    assert run("--any-size", rows="b.png,0,0,5,5\n") == 0
    assert names(tmp_path / "out") == ["b_1.png"]


def test_bad_files_are_said_and_the_rest_goes_on(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.jpg").write_text("a text")
    Image.new("L", (1, 1)).save(tmp_path / "in" / "c.png")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "in" / "d.png")
    assert run("--paste") == 1
    told = capsys.readouterr()
    assert [line.split("/in/")[1].split(":")[0] for line in told.err.splitlines()[:-1]] == ["b.jpg", "d.png"]
    assert "a decompression bomb?" in told.err
    assert told.err.endswith("2 of 4 failed\n")
    assert names(tmp_path / "out") == ["a_1.png", "a_2.png", "a_upscaled.png"]


def test_two_hundred_faces_and_a_tiny_picture(run: Run, tmp_path: Path) -> None:
    photo(tmp_path / "in" / "a.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "in" / "b.png")
    rows = "".join(f"a.png,{x},{y},{x + 9},{y + 11}\n" for x in range(0, 100, 5) for y in range(0, 50, 5))
    assert run("--batch", "70", "--paste", "--any-size", rows=f"{rows}b.png,0,0,1,1\n") == 0
    assert len(names(tmp_path / "out")) == 201  # one pixel is no face


def test_nothing_is_overwritten_unasked(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a_2.png").write_bytes(b"old")
    assert run("--paste") == 1
    assert "--overwrite replaces it" in capsys.readouterr().err
    assert names(tmp_path / "out") == ["a_2.png"]
    assert run("--paste", "--overwrite") == 0
    assert len(names(tmp_path / "out")) == 3


def test_names_of_any_kind_stay_in_their_line_and_folder(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a\nb.png", "..a.png", "x/a.png", "y/a.png"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        photo(tmp_path / "in" / name)
    rows = '"a\nb.png",20,20,32,36\n..a.png,20,20,32,36\na.png,20,20,32,36\n'
    assert run(rows=rows, paths=("in", "in/..a.png", "in/x", "in/y", "in/x/../x/a.png")) == 0
    assert names(tmp_path / "out") == ["..a_1.png", "a\nb_1.png", "a_1.png", "a_2_1.png"]
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_a_folder_that_cannot_be_written_is_said(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, content: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    photo(tmp_path / "in" / "a.png")
    monkeypatch.setattr(outputs, "write_whole", refused)
    assert run() == 1
    assert "a_1.png cannot be written: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a.png,1,2,3\n", "line 2"),
        ("a.png,1,2,1,4\n", "no box"),
        ("a.png,0,0,nan,4\n", "no box"),
        ("a.png,x,0,1,4\n", "not file"),
        ("a\0.png,0,0,9,9\n", "names no file"),
        (f"{'a' * 9999},1\n", "..."),
    ],
)
def test_boxes_that_are_none_stop_everything(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: str, said: str
) -> None:
    assert run(rows=rows) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_scale_too_large_and_files_of_no_use_are_named(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(tmp_path / "in" / "a.png")
    assert run("--paste", "--scale", "0.5") == 2
    Image.new("RGB", (3000, 2000)).save(tmp_path / "in" / "a.png")
    assert run("--paste", "--scale", "8") == 1
    assert "--scale 5.8 at most" in capsys.readouterr().err
    (tmp_path / "boxes.txt").write_text("x,y\n")
    assert run("--boxes", str(tmp_path / "boxes.txt")) == 2
    assert "not 'file,x0,y0,x1,y1'" in capsys.readouterr().err
    assert run("--boxes", str(tmp_path / "none.csv")) == 2


def test_faces_of_an_earlier_run_that_are_no_more_go_with_overwrite_alone(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(tmp_path / "in" / "a.png")
    rows = [f"a.png,{x},20,{x + 12},36\n" for x in (10, 30, 50, 70)]
    assert run("--heatmaps", rows="".join(rows)) == 0
    out = tmp_path / "out"
    for number in (5, 7):  # 5 is a picture of somebody, 7 a result behind a gap
        photo(out / f"a_{number}.png")
    (out / "a_7.png").write_bytes((out / "a_1.png").read_bytes())
    (out / "a_2019.png").write_bytes((out / "a_1.png").read_bytes())
    before = names(out)
    assert run(rows=rows[0]) == 1
    assert names(out) == before
    capsys.readouterr()
    assert run("--overwrite", rows=rows[0]) == 0
    assert names(out) == ["a_1.png", "a_1_heatmaps.png", "a_2019.png", "a_5.png", "a_7.png"]
    warned = capsys.readouterr().err.splitlines()
    assert len(warned) == 6
    assert warned[0] == (
        f"warning: {out / 'a_2.png'} of an earlier run is removed: {tmp_path / 'in/a.png'} has no such face now"
    )


def test_results_of_other_pictures_are_never_removed(run: Run, tmp_path: Path) -> None:
    """A crop called a_2, and another photograph called a.png, have results of the same names."""
    photo(tmp_path / "in" / "a.png")
    assert run(rows="a.png,10,20,22,36\n") == 0
    other = (tmp_path / "out" / "a_1.png").read_bytes()
    Image.fromarray(noise_picture(110, 90, 5)).save(tmp_path / "in" / "a.png")
    (tmp_path / "out" / "a_2.png").write_bytes(other)
    (tmp_path / "out" / "a_3.png").write_bytes(marked_png(noise_picture(128, 128)))
    assert run("--overwrite", rows="a.png,10,20,22,36\n") == 0
    assert names(tmp_path / "out") == ["a_1.png", "a_2.png", "a_3.png"]


def test_an_input_is_never_removed(run: Run, tmp_path: Path) -> None:
    photo(tmp_path / "in" / "a.png")
    assert run(rows="a.png,10,20,22,36\na.png,50,20,62,36\n") == 0
    kept = (tmp_path / "out" / "a_2.png").read_bytes()
    rows = "a.png,10,20,22,36\na_2.png,10,20,22,36\n"
    assert run("--overwrite", rows=rows, paths=("in", "out/a_2.png")) == 0
    assert (tmp_path / "out" / "a_2.png").read_bytes() == kept
    assert names(tmp_path / "out") == ["a_1.png", "a_2.png", "a_2_1.png"]


def test_a_photograph_without_a_face_is_said_by_the_detector_too(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (80, 60), "grey").save(tmp_path / "grey.png")
    words = [str(tmp_path / "grey.png"), "--method", str(network), "--device", "cpu", "--out", str(tmp_path / "out")]
    assert main([*words, "--paste"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == (f"{tmp_path / 'grey.png'}: no face found\n", "")
    assert names(tmp_path / "out") == []


def _with_header(content: bytes) -> bytes:
    return (2**40).to_bytes(8, "little") + content[8:]


def _with_tensor(content: bytes) -> bytes:
    metadata_length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + metadata_length])["__metadata__"]
    return save({**load(content), "more": torch.zeros(1)}, metadata)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("model.safetensors", _with_header, "model.safetensors does not fit its checksum in SHA256SUMS"),
        ("config.json", lambda content: content[:-2] + b', "more": 1}', "config.json does not fit its checksum"),
        ("SHA256SUMS", lambda content: content.replace(b"0", b"1"), "does not fit its checksum in SHA256SUMS"),
        ("SHA256SUMS", lambda content: b"", "has no line for model.safetensors"),
        ("single.safetensors", _with_header, "single.safetensors is cut short, damaged or no safetensors file"),
        ("single.safetensors", _with_tensor, "has a tensor 'more' that the network lacks"),
        ("signed config.json", lambda content: content[:-2] + b', "more": 1}', "config.json: its keys are"),
    ],
)
def test_a_network_that_does_not_fit_stops_everything_in_one_line(
    network: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    change: Callable[[bytes], bytes],
    words: str,
) -> None:
    photo(tmp_path / "a.png")
    release, checkpoint = tmp_path / "release", load_checkpoint(network)
    write_release(checkpoint, release, "card")
    (tmp_path / "single.safetensors").write_bytes(single_bytes(checkpoint))
    signed, _, file = file.rpartition(" ")
    path = (tmp_path if file == "single.safetensors" else release) / file
    path.write_bytes(change(path.read_bytes()))
    if signed:
        sums = (f"{hashlib.sha256(part.read_bytes()).hexdigest()}  {part.name}\n" for part in release.iterdir())
        (release / "SHA256SUMS").write_text("".join(sums))
    method = path if file == "single.safetensors" else release
    (tmp_path / "boxes.csv").write_text("file,x0,y0,x1,y1\n")
    words_of_command = ["--boxes", str(tmp_path / "boxes.csv"), "--out", str(tmp_path / "out"), "--method", str(method)]
    assert main([str(tmp_path / "a.png"), "--device", "cpu", *words_of_command]) == 2
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert words in told.err
    assert not (tmp_path / "out").exists()


def test_a_photograph_that_is_read_in_spite_of_a_damage_is_enlarged_in_spite_of_it(run: Run, tmp_path: Path) -> None:
    """Pillow refuses a PNG whose colour profile does not fit its checksum; the pixels do not need it."""
    image = photo(tmp_path / "in" / "a.png", icc_profile=adobe_rgb())
    content = bytearray((tmp_path / "in" / "a.png").read_bytes())
    content[content.index(b"iCCP") + 20] ^= 255
    (tmp_path / "in" / "a.png").write_bytes(content)
    with pytest.raises(UnidentifiedImageError):
        Image.open(tmp_path / "in" / "a.png")
    assert run("--paste", "--scale", "1") == 0
    with Image.open(tmp_path / "out" / "a_upscaled.png") as pasted:
        assert np.array_equal(np.asarray(pasted)[60:], image[60:])


def test_a_name_too_long_for_its_results_is_said(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo(tmp_path / "in" / f"{'a' * 250}.png")
    for words in ([], ["--overwrite"], ["--overwrite", "--any-size"]):
        rows = "x.png,0,0,9,9\n" if "--any-size" in words else f"{'a' * 250}.png,20,20,32,36\n"
        assert run(*words, rows=rows) == (0 if "--any-size" in words else 1)
    assert capsys.readouterr().err.count("_1.png cannot be written: File name too long") == 2


def test_an_output_folder_that_cannot_be_made_stops_everything(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(tmp_path / "in" / "a.png")
    assert run("--out", str(tmp_path / "in" / "a.png" / "below")) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "below cannot be made: Not a directory" in told.err
