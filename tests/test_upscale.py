import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from src.image.pixels import to_bytes, to_network
from src.model.checkpoint import load_checkpoint
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.photo.inputs import to_lr
from src.photo.outputs import Names
from src.upscale import main
from tests.helpers.tiny_files import checkpoint_content


def picture(path: Path, width: int = 16, height: int = 16, seed: int = 0) -> NDArray[np.uint8]:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return image


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.array(image)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_16x16_crop_goes_in_as_it_is(checkpoint_file: Path, tmp_path: Path) -> None:
    image = picture(tmp_path / "face.png")
    out = tmp_path / "out"
    assert main([str(tmp_path / "face.png"), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(out)]) == 0
    assert files(out) == ["face.png", "face_heatmaps.png"]
    generator = load_checkpoint(checkpoint_file).generator
    wanted = to_bytes(generator(to_network(torch.from_numpy(image)[None])).image.detach())[0].numpy()
    assert (read(out / "face.png") == wanted).all()
    assert read(out / "face_heatmaps.png").shape == (128, 128, 3)


def test_padding_is_black_centred_and_nothing_is_stretched() -> None:
    wide = np.full((64, 128, 3), 255, np.uint8)
    lr = to_lr(wide)[0]
    assert lr.shape == (3, 16, 16)
    assert (lr[:, :3] == -1).all()
    assert (lr[:, -3:] == -1).all()
    assert (lr[:, 6:10] == 1).all()
    assert to_lr(wide.transpose(1, 0, 2))[0].equal(lr.transpose(1, 2))


def test_reduction_is_anti_aliased() -> None:
    board = np.zeros((128, 128, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 255
    assert (to_lr(board).abs() < 0.1).all()  # grey, not a pattern of the pixels that were hit


def test_a_crop_below_16_is_enlarged_with_a_warning(
    checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "small.png", 9, 7)
    arguments = [
        str(tmp_path / "small.png"),
        "--crops",
        "--checkpoint",
        str(checkpoint_file),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments) == 0
    warning = capsys.readouterr().err.strip()
    assert warning.startswith("warning: ")
    assert "9x7 is below 16x16" in warning
    assert len(warning.splitlines()) == 1


def test_bad_pictures_are_passed_by(checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    picture(folder / "a.png")
    (folder / "b.png").write_bytes(b"")
    (folder / "c.jpg").write_bytes((folder / "a.png").read_bytes()[:60])
    picture(folder / "d.png", 40, 30)
    missing = folder / "none.png"
    code = main(
        [str(folder), str(missing), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(out), "--no-heatmaps"]
    )
    assert code == 1
    assert files(out) == ["a.png", "d.png"]
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 4
    for bad, line in zip(("b.png", "c.jpg", "none.png", "3 of 5"), errors, strict=True):
        assert bad in line


def test_equal_names_do_not_overwrite_each_other(checkpoint_file: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("p/x.png", "q/x.png", "q/x.bmp", "q/x_heatmaps.png", "q/X_2.png")):
        picture(tmp_path / name, seed=number)
    out = tmp_path / "out"
    folders = [str(tmp_path / "p"), str(tmp_path / "q"), str(tmp_path / "p" / "x.png")]  # the last is named twice
    assert main([*folders, "--crops", "--checkpoint", str(checkpoint_file), "--out", str(out)]) == 0
    written = [path.name for path in out.iterdir()]
    assert len(written) == 10
    assert len({name.casefold() for name in written}) == 10
    assert len({path.read_bytes() for path in out.iterdir()}) == 10


def test_names_keep_clear_of_each_others_heatmaps() -> None:
    names = Names()
    assert [names.claim(stem) for stem in ("a", "a_heatmaps", "a", "A", "b")] == [
        "a",
        "a_heatmaps_2",
        "a_2",
        "A_3",
        "b",
    ]


def test_an_input_is_never_overwritten(
    checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "face.png")
    picture(tmp_path / "photo.bmp")
    before = (tmp_path / "face.png").read_bytes()
    code = main([str(tmp_path), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(tmp_path), "--overwrite"])
    assert code == 1
    assert (tmp_path / "face.png").read_bytes() == before
    assert "is an input" in capsys.readouterr().err
    assert files(tmp_path) == ["face.png", "photo.bmp", "photo.png", "photo_heatmaps.png"]


def test_earlier_results_stay_unless_told(
    checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "in" / "face.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "face_heatmaps.png").write_bytes(b"old")
    arguments = [str(tmp_path / "in"), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(out)]
    assert main(arguments) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert files(out) == ["face_heatmaps.png"]  # nor is half of the pair written
    assert main([*arguments, "--overwrite"]) == 0
    assert read(out / "face_heatmaps.png").shape == (128, 128, 3)


@pytest.mark.parametrize("heatmaps", [True, False])
def test_a_second_run_in_the_same_folder_changes_nothing(
    checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], heatmaps: bool
) -> None:
    for number, name in enumerate(("a.jpg", "a.bmp", "A.tif", "own.png")):
        picture(tmp_path / name, seed=number)
    arguments = [str(tmp_path), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(tmp_path)]
    arguments += [] if heatmaps else ["--no-heatmaps"]
    assert main(arguments) == 1  # own.png is an input, which stays
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == (10 if heatmaps else 7)
    capsys.readouterr()
    assert main(arguments) == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    said = capsys.readouterr().err
    assert f"{'6 results' if heatmaps else '3 results'} of earlier runs left out" in said
    assert f"{tmp_path / 'A.png'} is there already; --overwrite replaces it" in said
    assert main([*arguments, "--overwrite"]) == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_result_is_recognised_under_any_name_and_upscaled_if_named(checkpoint_file: Path, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "face.png")
    arguments = ["--crops", "--checkpoint", str(checkpoint_file), "--out"]
    assert main([str(tmp_path / "in"), *arguments, str(tmp_path / "out")]) == 0
    result = (tmp_path / "out" / "face.png").rename(tmp_path / "out" / "renamed.PNG")
    with Image.open(result) as image:
        image.save(tmp_path / "out" / "edited.png")  # a picture of its own
    assert main([str(tmp_path / "out"), *arguments, str(tmp_path / "again")]) == 0
    assert files(tmp_path / "again") == ["edited.png", "edited_heatmaps.png"]
    assert main([str(tmp_path / "out"), str(result), *arguments, str(tmp_path / "named"), "--no-heatmaps"]) == 0
    assert files(tmp_path / "named") == ["edited.png", "renamed.png"]


def test_a_folder_of_results_alone_says_so(
    checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "in" / "face.png")
    arguments = ["--crops", "--checkpoint", str(checkpoint_file), "--out", str(tmp_path / "out")]
    assert main([str(tmp_path / "in"), *arguments]) == 0
    assert main([str(tmp_path / "out"), *arguments]) == 1
    assert "no picture in this folder but the results of earlier runs" in capsys.readouterr().err


def test_what_lies_beside_the_pictures_is_left_out_or_named(
    checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    picture(folder / "face.png")
    for name in ("._face.png", ".DS_Store", "Thumbs.db", "notes.txt", "a.NEF", "b.nef", "c.psd"):
        (folder / name).write_bytes(b"x")
    picture(folder / "sub" / "deeper.png")
    arguments = [
        str(folder),
        "--crops",
        "--checkpoint",
        str(checkpoint_file),
        "--out",
        str(tmp_path / "out"),
        "--overwrite",
    ]
    assert main(arguments) == 0
    assert files(tmp_path / "out") == ["face.png", "face_heatmaps.png"]
    said = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"warning: {folder}: ").partition(":")[0] for line in said] == [
        "2 files of a kind that is not read (.nef)", "1 file of a kind that is not read (.psd)",
    ]  # fmt: skip
    (folder / "gone.png").symlink_to("/not/mounted/gone.png")
    (folder / "more").symlink_to("/not/mounted")
    assert main(arguments) == 1
    dead = [line for line in capsys.readouterr().err.splitlines() if "leads nowhere" in line]
    assert [line.partition(": link")[0] for line in dead] == [f"warning: {folder}/more", f"error: {folder}/gone.png"]


def test_a_network_without_heatmaps_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = LightConfig(width=16, blocks16=1, blocks32=1, heb=HEBConfig(enabled=False, resolution=32, depth=2))
    torch.save(checkpoint_content(bare), tmp_path / "bare.ckpt")
    picture(tmp_path / "in" / "face.png")
    out = tmp_path / "out"
    assert main([str(tmp_path / "in"), "--crops", "--checkpoint", str(tmp_path / "bare.ckpt"), "--out", str(out)]) == 0
    assert files(out) == ["face.png"]
    assert "no heatmap branch" in capsys.readouterr().err


def test_mistakes_that_stop_everything_exit_with_2(
    checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "face.png")
    face, out = str(tmp_path / "face.png"), tmp_path / "out"
    assert main([face, "--crops", "--checkpoint", str(tmp_path / "none.ckpt"), "--out", str(out)]) == 2
    assert "none.ckpt does not exist" in capsys.readouterr().err
    assert not out.exists()
    assert main([face, "--crops", "--checkpoint", str(checkpoint_file), "--out", face]) == 2
    assert "--out" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([face, "--crops", "--json", "--out", str(out)])
    with pytest.raises(SystemExit, match="2"):
        main([face, "--scale", "2", "--out", str(out)])
    assert main([str(tmp_path / "empty"), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(out)]) == 1


def test_a_method_that_needs_no_file_is_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "face.png")
    words = [str(tmp_path / "face.png"), "--out", str(tmp_path / "out"), "--crops", "--checkpoint"]
    assert main([*words, "bicubic"]) == 2
    assert "bicubic is a method without a network: give a release's folder, a checkpoint" in capsys.readouterr().err


def test_what_only_an_evaluation_reads_is_no_reason_to_refuse(tmp_path: Path) -> None:
    content = checkpoint_content()
    content["hyper_parameters"]["data"]["misalignment"]["older"] = 1
    torch.save(content, tmp_path / "older.ckpt")
    Image.new("RGB", (20, 20)).save(tmp_path / "face.png")
    words = [
        str(tmp_path / "face.png"),
        "--out",
        str(tmp_path / "out"),
        "--crops",
        "--checkpoint",
        str(tmp_path / "older.ckpt"),
    ]
    assert main(words) == 0


def test_an_ignored_profile_and_a_size_are_said(
    checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png", icc_profile=b"broken" * 40)
    words = [str(tmp_path / "a.png"), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert f"warning: {tmp_path / 'a.png'}: colour profile ignored: damaged\n" in capsys.readouterr().err
    with Image.open(tmp_path / "out" / "a.png") as result:
        assert "srgb" in result.info
    assert main([*words, "--overwrite", "--max-pixels", "199"]) == 1
    assert "--max-pixels 200 reads it" in capsys.readouterr().err


def test_a_pipe_in_a_folder_is_passed_over(checkpoint_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (20, 20)).save(folder / "a.png")
    os.mkfifo(folder / "pipe.png")
    assert main([str(folder), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("pixels", [399, 100])
def test_the_limit_on_pixels_names_the_size_and_the_flag(
    pixels: int, checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    words = [str(tmp_path / "a.png"), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(tmp_path / "out")]
    assert main([*words, "--max-pixels", str(pixels)]) == 1
    assert f"20x20: more than {pixels} pixels" in capsys.readouterr().err
    assert main([*words, "--max-pixels", "400"]) == 0


def test_a_name_with_a_line_end_stays_in_its_line(
    checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "in" / "a\nb.png")
    (tmp_path / "in" / "c\nd.png").write_bytes(b"no picture")
    arguments = [str(tmp_path / "in"), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--no-heatmaps"]) == 1
    told = capsys.readouterr()
    assert [line.count("a\\nb.png") for line in told.out.splitlines()] == [2]
    assert ["c\\nd.png: " in line for line in told.err.splitlines()] == [True, False]
    assert files(tmp_path / "out") == ["a\nb.png"]


@pytest.fixture
def own_size_file(tmp_path: Path) -> Path:
    """A checkpoint of a network for faces of 12 to 40 pixels."""
    heb = HEBConfig(resolution=32, stacks=1, width=16, depth=2)
    content = checkpoint_content(LightConfig(lr_side=32, width=16, blocks16=1, blocks32=1, heb=heb))
    content["hyper_parameters"]["data"]["own_size"] = [12, 40]
    torch.save(content, tmp_path / "own.ckpt")
    return tmp_path / "own.ckpt"


def test_a_network_for_many_sizes_is_told_the_crops_own(own_size_file: Path, tmp_path: Path) -> None:
    image = picture(tmp_path / "face.png", 20, 24)
    lr = to_lr(image, 32, (12, 40))
    assert lr.shape == (1, 4, 32, 32)
    assert torch.equal(lr[:, 3], torch.full((1, 32, 32), np.log2(24 / 16)))
    assert (
        main(
            [str(tmp_path / "face.png"), "--crops", "--checkpoint", str(own_size_file), "--out", str(tmp_path / "out")]
        )
        == 0
    )
    wanted = to_bytes(load_checkpoint(own_size_file).generator(lr).image.detach())[0].numpy()
    assert (read(tmp_path / "out/face.png") == wanted).all()
    whole = picture(tmp_path / "whole.png", 32, 32)
    assert torch.equal(to_lr(whole, 32)[:, :3], to_network(torch.from_numpy(whole)[None]))


@pytest.mark.parametrize(("side", "told"), [(9, 12), (12, None), (40, None), (200, 40)])
def test_a_size_beyond_the_training_is_told_as_its_nearest(
    own_size_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], side: int, told: int | None
) -> None:
    image = picture(tmp_path / "face.png", side, side)
    assert (
        main(
            [str(tmp_path / "face.png"), "--crops", "--checkpoint", str(own_size_file), "--out", str(tmp_path / "out")]
        )
        == 0
    )
    warning = capsys.readouterr().err
    assert (f"not among the 12 to 40 px of the training: taken as a face of {told} px" in warning) == bool(told)
    assert bool(warning) == bool(told)
    assert to_lr(image, 32, (12, 40))[0, 3, 0, 0].item() == pytest.approx(np.log2((told or side) / 16))


def test_a_checkpoint_alone_takes_face_crops(
    checkpoint_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command of before photographs were taken means what it meant."""
    picture(tmp_path / "in" / "face.png")
    words = [str(tmp_path / "in"), "--checkpoint", str(checkpoint_file), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"face.png", "face_heatmaps.png"}
    with pytest.raises(SystemExit):
        main([*words, "--method", str(checkpoint_file)])
    assert "give one of them" in capsys.readouterr().err


def test_crops_in_onnx_runtime_are_those_of_torch(
    busy_file: Path, onnx_files: dict[bool, Path], tmp_path: Path
) -> None:
    picture(tmp_path / "face.png", 20, 24)
    ways = {
        "torch": [str(busy_file)],
        "runtime": [str(busy_file), "--runtime", "onnxruntime"],
        "file": [str(onnx_files[False])],
    }
    for name, words in ways.items():
        command = [str(tmp_path / "face.png"), "--crops", "--device", "cpu", "--out", str(tmp_path / name), "--method"]
        assert main([*command, *words]) == 0
        assert files(tmp_path / name) == ["face.png", "face_heatmaps.png"]
        apart = read(tmp_path / name / "face.png").astype(int) - read(tmp_path / "torch" / "face.png")
        assert np.abs(apart).max() <= 1
