"""CelebA as other people have it: the PNG release, without identities, with other systems' files and names."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.landmarks.config import AnnotationsConfig
from src.preparation.check_stores import run_check
from src.preparation.config import PrepareConfig
from src.preparation.run import run_preparation
from src.source.config import CelebaSource
from src.store.read import FaceStore
from src.system.errors import UserError
from src.system.files import NOWHERE
from tests.helpers.celeba_files import celeba_files, name, picture, write_zip
from tests.source.celeba.test_splits import VAL, files, jobs, rejects, splits

PNG = [f"img_align_celeba_png/{name(index).replace('.jpg', '.png')}" for index in range(40)]


def as_png(index: int) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture(index))).resize((20, 20)).save(buffer, "PNG")
    return buffer.getvalue()


def png_release(root: Path, zipped: bool) -> Path:
    celeba_files(root, 40)
    shutil.rmtree(root / "img_align_celeba")
    members = {file: as_png(index) for index, file in enumerate(PNG)}
    if zipped:
        write_zip(root / "img_align_celeba_png.zip", members)
    for file, data in members.items() if not zipped else ():
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_bytes(data)
    return root


@pytest.mark.parametrize("zipped", [False, True])
def test_the_png_release(tmp_path: Path, zipped: bool) -> None:
    root = png_release(tmp_path, zipped)
    plain = celeba_files(tmp_path / "plain", 40)
    found, same = splits(root, "annotations"), splits(plain, "annotations")
    for split, first in (("train", 0), ("val", 32), ("test", 36)):
        assert files(found[split]) == PNG[first : first + len(files(same[split]))]
        assert rejects(found[split]) == {}
        for job, other in zip(jobs(found[split]), jobs(same[split]), strict=True):
            assert job.identity == other.identity
            assert np.array_equal(np.asarray(job.annotations[0].points), np.asarray(other.annotations[0].points))
    assert jobs(found["val"])[0].picture.read() == as_png(VAL[0])
    assert jobs(found["val"])[0].picture.size == len(as_png(VAL[0]))


def test_png_files_in_the_folder_of_the_jpegs(tmp_path: Path) -> None:
    png_release(tmp_path, False).joinpath("img_align_celeba_png").rename(tmp_path / "img_align_celeba")
    (tmp_path / "img_align_celeba" / name(0)).write_bytes(picture(0))  # a JPEG of the list's own name goes first
    (tmp_path / "img_align_celeba" / "000002.webp").write_bytes(picture(0))
    (tmp_path / "img_align_celeba" / "000003.png").rename(tmp_path / "img_align_celeba" / "000003.PNG")
    train = splits(tmp_path)["train"]
    assert files(train)[:2] == ["img_align_celeba/000001.jpg", "img_align_celeba/000003.PNG"]
    stray = "no row in list_eval_partition.txt: its split is not known"
    assert rejects(train) == {
        "img_align_celeba/000002.jpg": "2 pictures fit its name: 000002.png, 000002.webp",
        "img_align_celeba/000001.png": stray,
        "img_align_celeba/000002.png": stray,
        "img_align_celeba/000002.webp": stray,
    }


def test_other_places_of_the_png_release(tmp_path: Path) -> None:
    root = png_release(tmp_path, False)
    for path in root.glob("*.txt"):
        shutil.copy(path, root / "img_align_celeba_png")
    with pytest.raises(UserError, match="is the folder with the pictures: give the one above it"):
        splits(root / "img_align_celeba_png")
    shutil.rmtree(root / "img_align_celeba_png")
    (root / "img_align_celeba_png.7z.001").write_bytes(b"7z")
    with pytest.raises(UserError, match=r"as 7z \(img_align_celeba_png\.7z\.001\).* into .*/img_align_celeba_png \(7z"):
        splits(root)


def test_without_the_list_of_identities(tmp_path: Path) -> None:
    root = celeba_files(tmp_path / "in", 40)
    people = splits(root)
    (root / "identity_CelebA.txt").unlink()
    with pytest.raises(UserError, match=r"no identity_CelebA\.txt .*; or do without: with source\.identities=none the"):
        splits(root)
    found = splits(root, identities="none")
    assert {split: files(found[split]) for split in found} == {split: files(people[split]) for split in people}
    assert [job.identity for job in jobs(found["val"])] == [f"celeba-image-{index + 1:06}" for index in VAL]
    assert found["val"].settings["source.identities"] == "none"
    assert found["val"].description["people"] is None
    config = PrepareConfig(
        CelebaSource("celeba", str(root), identities="none"), str(tmp_path / "out"), AnnotationsConfig("annotations")
    )
    run_preparation(config, print)
    run_check(config, print)
    assert len(FaceStore(tmp_path / "out" / "train")) == 32


def test_files_of_other_systems(tmp_path: Path) -> None:
    members = {f"img_align_celeba/{name(index)}": picture(index) for index in range(40)}
    extra = {
        "__MACOSX/img_align_celeba/x.jpg": b"", "img_align_celeba/._000001.jpg": b"", "img_align_celeba/Thumbs.db": b"",
        "img_align_celeba/@eaDir/000001.jpg/THUMB.jpg": b"", "img_align_celeba/Icon\r": b"",
        "img_align_celeba/a.psd": b"",
    }  # fmt: skip
    psd = {"img_align_celeba/a.psd": "a kind that is not read (.psd): save it as PNG or JPEG"}
    for root in (tmp_path / "zip", tmp_path / "folder"):
        celeba_files(root, 40)
        if root.name == "zip":
            shutil.rmtree(root / "img_align_celeba")
            write_zip(root / "img_align_celeba.zip", members | extra)
        else:
            for file, data in extra.items():
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                (root / file).write_bytes(data)
        found = splits(root)
        assert [len(files(split)) for split in found.values()] == [32, 4, 4]
        assert rejects(found["train"]) == psd
    (root / "img_align_celeba" / name(3)).unlink()
    (root / "img_align_celeba" / name(3)).symlink_to("/not/mounted.jpg")
    assert rejects(splits(root)["train"]) == psd | {f"img_align_celeba/{name(3)}": NOWHERE}
