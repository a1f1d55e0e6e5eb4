import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.face.pose import five_points as five_of
from src.landmarks.boxes import face_box
from src.source.config import CelebaSource
from src.source.list_splits import list_splits
from src.source.photograph import Photo, PhotoJob
from src.source.split import Split
from src.system.errors import BadFace, UserError
from tests.helpers.celeba_files import (
    attributes,
    celeba_files,
    change_line,
    five_points,
    identity,
    name,
    picture,
    write_zip,
)
from tests.helpers.decoded import decode_image

# The first of 40 images of each split.
TRAIN, VAL, TEST = range(32), range(32, 36), range(36, 40)


def splits(root: Path, landmarks: str = "auto", **options: Any) -> dict[str, Split]:
    return {split.name: split for split in list_splits(CelebaSource("celeba", str(root), **options), landmarks)}


def jobs(split: Split) -> list[PhotoJob]:
    """Pickled, as workers get them."""
    return pickle.loads(pickle.dumps([split.jobs[at] for at in range(len(split.jobs))]))  # type: ignore[no-any-return]


def files(split: Split) -> list[str]:
    return [job.file for job in jobs(split) if not job.problem]


def rejects(split: Split) -> dict[str, str]:
    loaded = [job.load() for job in jobs(split) if job.problem]
    found = [bad for outcome in loaded if isinstance(outcome, list) for bad in outcome if isinstance(bad, BadFace)]
    assert len(found) == len(loaded)
    return {bad.file: bad.reason for bad in found}


def file(index: int) -> str:
    return f"img_align_celeba/{name(index)}"


def test_splits_are_those_of_the_list_in_its_order(tmp_path: Path) -> None:
    found = splits(celeba_files(tmp_path))
    assert list(found) == ["train", "val", "test"]
    assert [files(split) for split in found.values()] == [
        [file(index) for index in part] for part in (range(160), range(160, 180), range(180, 200))
    ]
    photo = found["val"].jobs[3].load()
    assert isinstance(photo, Photo)
    assert np.array_equal(photo.image, decode_image(picture(163), ""))
    assert photo.job.identity == photo.job.annotations[0].identity == f"celeba-{identity(163)}"
    assert found["val"].description == {
        "name": "celeba",
        "kind": "aligned",
        "images": 20,
        "people": 5,
        "dropped": 0,
        "rows": "200 of 202,599",
    }
    assert not found["val"].annotated


def test_rows_may_stand_in_any_order(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40)
    path = tmp_path / "list_eval_partition.txt"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    found = splits(tmp_path)
    assert files(found["test"]) == [file(index) for index in reversed(TEST)]
    assert [job.identity for job in jobs(found["test"])] == [f"celeba-{identity(index)}" for index in reversed(TEST)]
    box = jobs(found["test"])[0].annotations[0].box
    assert box == jobs(splits(celeba_files(tmp_path / "sorted", 40))["test"])[-1].annotations[0].box


def test_a_slice_is_made_of_the_same_jobs(tmp_path: Path) -> None:
    split = splits(celeba_files(tmp_path, 40))["train"]
    assert len(split.jobs) == 32
    assert [job.file for job in split.jobs[30:].__iter__()] == [file(30), file(31)]  # type: ignore[attr-defined]
    assert split.jobs[-1].file == split.jobs[5:][-1].file == file(31)  # type: ignore[attr-defined]
    assert not isinstance(split.jobs[:5], list)
    with pytest.raises(IndexError):
        split.jobs[32]


@pytest.mark.parametrize("images", ["aligned", "in_the_wild"])
def test_a_folder_and_a_zip_give_the_same(tmp_path: Path, images: str) -> None:
    folder = splits(celeba_files(tmp_path / "folder", 40, in_the_wild=True), images=images)
    zipped = splits(celeba_files(tmp_path / "zip", 40, in_the_wild=True, zipped=True, layout="official"), images=images)
    for one, other in zip(folder.values(), zipped.values(), strict=True):
        assert one.settings == other.settings
        assert one.description == other.description
        assert str(tmp_path) not in repr((one.settings, one.description))
        photos = [[job.load() for job in jobs(split)] for split in (one, other)]
        for a, b in zip(*photos, strict=True):
            assert isinstance(a, Photo)
            assert isinstance(b, Photo)
            assert (a.job.file, a.sha256, a.job.identity) == (b.job.file, b.sha256, b.job.identity)
            assert a.job.annotations[0].box == b.job.annotations[0].box
            assert a.job.picture.size == b.job.picture.size > 0
            assert np.array_equal(a.image, b.image)
    sizes = {job.load().image.shape[:2] for job in jobs(zipped["train"])}  # type: ignore[union-attr]
    assert sizes == ({(218, 178)} if images == "aligned" else {(218 * zoom, 178 * zoom) for zoom in (1, 2, 3)})


@pytest.mark.parametrize("below", ["", "img_align_celeba/img_align_celeba/", "./data/x/"])
def test_a_zip_may_have_the_pictures_in_any_one_folder(tmp_path: Path, below: str) -> None:
    wanted = splits(celeba_files(tmp_path, 40))["test"]
    folder = tmp_path / "img_align_celeba"
    write_zip(
        tmp_path / "img_align_celeba.zip",
        {f"{below}{path.name}": path.read_bytes() for path in sorted(folder.iterdir())},
    )
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    found = splits(tmp_path)["test"]
    assert (found.settings, files(found)) == (wanted.settings, files(wanted))
    assert all(isinstance(job.load(), Photo) for job in jobs(found))


def test_the_folder_goes_before_the_zip(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40, layout="torchvision")
    (tmp_path / "img_align_celeba.zip").write_bytes(b"no zip")
    assert files(splits(tmp_path)["val"]) == [file(index) for index in VAL]


def test_the_settings_tell_what_changes_the_faces(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40)
    before = splits(tmp_path)
    assert before["train"].settings != before["val"].settings
    (tmp_path / "img_align_celeba" / name(0)).write_bytes(picture(1))
    change_line(tmp_path / "list_landmarks_align_celeba.txt", 3 + VAL[0], f"{name(VAL[0])} {'9 100 ' * 4}99 100")
    after = splits(tmp_path)
    assert after["train"].settings != before["train"].settings
    assert after["val"].settings != before["val"].settings
    assert after["test"].settings == before["test"].settings
    assert splits(tmp_path, "annotations")["test"].settings != before["test"].settings


def test_drop_and_keep(tmp_path: Path) -> None:
    celeba_files(tmp_path)
    found = splits(tmp_path, drop=("Blurry", "Eyeglasses"), keep=("Young",), splits=("train",))["train"]
    wanted = [
        index
        for index in range(160)
        if attributes(index)["Young"] and not attributes(index)["Blurry"] and not attributes(index)["Eyeglasses"]
    ]
    assert 5 < len(wanted) < 60
    assert files(found) == [file(index) for index in wanted]
    assert (found.description["images"], found.description["dropped"]) == (len(wanted), 160 - len(wanted))
    assert (found.settings["source.drop"], found.settings["source.keep"]) == ("Blurry,Eyeglasses", "Young")
    assert rejects(found) == {}


@pytest.mark.parametrize("key", ["drop", "keep"])
def test_a_misspelt_attribute(tmp_path: Path, key: str) -> None:
    celeba_files(tmp_path, 40)
    with pytest.raises(
        UserError, match=rf"source\.{key}: there is no attribute 'eyeglases': did you mean 'Eyeglasses'\?"
    ):
        splits(tmp_path, **{key: ("Blurry", "eyeglases")})


def test_the_attributes_are_needed_for_them_only(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40)
    change_line(tmp_path / "list_attr_celeba.txt", 1, "39")
    change_line(tmp_path / "list_attr_celeba.txt", 3, None)
    found = splits(tmp_path, drop=("Blurry",))["train"]
    assert rejects(found) == {file(0): "no row in list_attr_celeba.txt: source.drop and source.keep cannot judge it"}
    (tmp_path / "list_attr_celeba.txt").unlink()
    assert len(files(splits(tmp_path)["train"])) == 32
    with pytest.raises(UserError, match=r"has no list_attr_celeba\.txt \(source\.drop and source\.keep need it\)"):
        splits(tmp_path, drop=("Blurry",))


def test_chosen_people(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40)
    (tmp_path / "people.txt").write_text("7\n\n1\n")
    for identities in ((1, 7), str(tmp_path / "people.txt"), (7, 1, 1)):
        found = splits(tmp_path, identities=identities, splits=("train",))["train"]
        assert files(found) == [file(index) for index in (0, 1, 2, 3, 8, 9, 10, 11)]
        assert str(found.settings["source.identities"]).startswith("2 people, ")
    assert files(splits(tmp_path, identities="2-5", splits=("train",))["train"]) == [file(at) for at in range(4, 8)]
    assert files(splits(tmp_path, identities=28, splits=("test",))["test"]) == [file(index) for index in TEST]
    assert splits(tmp_path)["train"].settings["source.identities"] is None


@pytest.mark.parametrize(
    ("identities", "message"),
    [
        ((1, 2), r"identity_CelebA\.txt has no person 2 \(it has 10, from 1 to 28\)"),
        ("100-200", r"source\.identities=100-200: identity_CelebA\.txt has nobody from 100 to 200"),
        ("nowhere.txt", r"source\.identities=nowhere\.txt cannot be read \(No such file or directory\): give a file"),
        ("bad.txt", r"bad\.txt, line 2: 'seven' is not a person's number"),
        ("empty.txt", r"empty\.txt holds no number"),
        ((1,), r"filters leave no image in val and test: add source\.splits='\[train\]'"),
    ],
)
def test_people_who_cannot_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identities: Any, message: str
) -> None:
    celeba_files(tmp_path, 40)
    monkeypatch.chdir(tmp_path)
    Path("bad.txt").write_text("1\nseven\n")
    Path("empty.txt").write_text("\n")
    with pytest.raises(UserError, match=message) as caught:
        splits(tmp_path, identities=identities)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"root": ""}, "root is empty"),
        ({"drop": ("Male",), "keep": ("Male",)}, "both name Male"),
        ({"splits": ()}, "at least one"),
        ({"splits": ("val", "val")}, "at most once"),
        ({"identities": ""}, "identities is empty"),
        ({"identities": (1, 0)}, "1 or more"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CelebaSource(**({"name": "celeba", "root": "x"} | options))


def test_one_bad_image_does_not_stop_the_others(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40)
    change_line(tmp_path / "identity_CelebA.txt", 3, None)
    partition = tmp_path / "list_eval_partition.txt"
    change_line(partition, 40, f"{name(39)} 2\n{name(5)} 2\n{name(98)} 2")
    (tmp_path / "img_align_celeba" / name(9)).unlink()
    (tmp_path / "img_align_celeba" / "stray.png").write_bytes(b"x")
    (tmp_path / "img_align_celeba" / "readme.txt").write_bytes(b"no picture")
    (tmp_path / "img_align_celeba" / "._000001.jpg").write_bytes(b"a Mac's")
    (tmp_path / "img_align_celeba" / name(11)).write_bytes(picture(11)[:1000])
    found = splits(tmp_path)
    assert rejects(found["train"]) == {
        file(2): "no row in identity_CelebA.txt: whose face it is is not known",
        file(5): "in two partitions: train and test",
        file(9): "no such picture: list_eval_partition.txt names it",
        "img_align_celeba/stray.png": "no row in list_eval_partition.txt: its split is not known",
    }
    assert rejects(found["val"]) == {}
    assert rejects(found["test"]) == {
        file(5): "in two partitions: train and test",
        file(98): "no such picture: list_eval_partition.txt names it",
    }
    assert files(found["train"]) == [file(index) for index in TRAIN if index not in (2, 5, 9)]
    assert files(found["test"]) == [file(index) for index in TEST]
    assert found["train"].description["images"] == 29
    (bad,) = jobs(found["train"])[11].load()  # type: ignore[misc]
    assert isinstance(bad, BadFace)
    assert bad.reason.startswith("damaged or cut short")
    # Whichever split is made first has the files that belong to none.
    assert "img_align_celeba/stray.png" in rejects(splits(tmp_path, splits=("val", "test"))["val"])


def test_an_image_twice_in_one_partition(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40)
    change_line(tmp_path / "list_eval_partition.txt", 4, f"{name(0)} 0")
    with pytest.raises(UserError, match=r"partition\.txt, line 4: 000001\.jpg has a row in line 1 already"):
        splits(tmp_path)


def test_an_archive_with_evil_members(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40, zipped=True)
    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "a") as archive:
        archive.writestr("../img_align_celeba/000001.jpg", b"evil")
        archive.writestr("other/000002.jpg", b"evil")
        archive.writestr("__MACOSX/img_align_celeba/._000001.jpg", b"a Mac's")
        archive.writestr("img_align_celeba/deeper/000003.jpg", b"evil")
    found = splits(tmp_path, splits=("train",))["train"]
    assert rejects(found) == {
        "img_align_celeba.zip: ../img_align_celeba/000001.jpg": "unsafe name: it leads out of the folder ('..')",
        "img_align_celeba.zip: other/000002.jpg": "in another folder than the other pictures: they are in "
        "img_align_celeba/",
        "img_align_celeba/deeper/000003.jpg": "in another folder than the other pictures: they are in "
        "img_align_celeba/",
    }
    photos = [job.load() for job in jobs(found) if not job.problem]
    assert [photo.sha256 for photo in photos] == [  # type: ignore[union-attr]
        photo.sha256  # type: ignore[union-attr]
        for photo in (job.load() for job in jobs(splits(celeba_files(tmp_path / "clean", 40))["train"]))
    ]


def test_unreadable_members_are_rejects_of_their_split(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40, zipped=True)
    with (
        zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr(file(33), b"evil")
    assert rejects(splits(tmp_path)["val"]) == {file(33): "ambiguous in the archive: 2 members have this name"}


def test_the_box_is_round_the_mean_face_through_the_five_points(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40, in_the_wild=True)
    for images, wild in (("aligned", False), ("in_the_wild", True)):
        annotated = jobs(splits(tmp_path, "annotations", images=images)["val"])
        for index, job, plain in zip(VAL, annotated, jobs(splits(tmp_path, images=images)["val"]), strict=True):
            (annotation,) = job.annotations
            assert isinstance(annotation.points, np.ndarray)
            assert annotation.points.dtype == np.float32
            assert annotation.landmark_source == "celeba five points, mean face"
            # Counted from 0 in the file already, and image-left first.
            assert five_of(annotation.points) == pytest.approx(five_points(index, wild), abs=1e-2)
            assert annotation.box == plain.annotations[0].box == pytest.approx(face_box(annotation.points), abs=1e-3)
            assert plain.annotations[0].points is None


@pytest.mark.parametrize(
    ("row", "box"),
    [
        ("100 200 50 100", (105, 210, 145, 290)),
        ("0 0 0 0", None),
        ("100 200 -5 100", None),
        (None, None),
    ],
)
def test_without_five_points_the_listed_box_is_taken(tmp_path: Path, row: str | None, box: Any) -> None:
    celeba_files(tmp_path, 40, in_the_wild=True)
    path = tmp_path / "list_bbox_celeba.txt"
    change_line(path, 3, None if row is None else f"{name(0)} {row}")
    change_line(path, 1, "39" if row is None else "40")
    five = tmp_path / "list_landmarks_celeba.txt"
    change_line(five, 3, f"{name(0)} 0 0 0 0 0 0 0 0 0 0")  # nonsense: all in one place
    found = jobs(splits(tmp_path, images="in_the_wild")["train"])
    assert found[0].annotations[0].box == (None if box is None else pytest.approx(box))
    assert found[1].annotations[0].box is not None
    five.unlink()
    assert jobs(splits(tmp_path, images="in_the_wild")["train"])[0].annotations[0].box == found[0].annotations[0].box
    path.unlink()
    assert jobs(splits(tmp_path, images="in_the_wild")["train"])[1].annotations[0].box is None
    # It is in pixels of the photograph in the wild: nothing for an aligned picture.
    (tmp_path / "list_landmarks_align_celeba.txt").unlink()
    assert jobs(splits(tmp_path)["train"])[1].annotations[0].box is None


def test_annotations_need_the_five_points(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40)
    path = tmp_path / "list_landmarks_align_celeba.txt"
    change_line(path, 3, f"{name(0)} 0 0 0 0 0 0 0 0 0 0")
    split = splits(tmp_path, "annotations")["train"]
    assert split.annotated
    assert rejects(split) == {file(0): "no five points of it: use a network (landmarks=onnx)"}
    path.unlink()
    with pytest.raises(UserError, match=r"has no list_landmarks_align_celeba\.txt \(landmarks=annotations"):
        splits(tmp_path, "annotations")


@pytest.mark.parametrize("missing", ["list_eval_partition.txt", "identity_CelebA.txt"])
def test_lists_that_are_always_needed(tmp_path: Path, missing: str) -> None:
    celeba_files(tmp_path, 40)
    (tmp_path / missing).unlink()
    with pytest.raises(UserError, match=rf"has no {re.escape(missing)} \(.*\): put it there") as caught:
        splits(tmp_path)
    assert "\n" not in str(caught.value)


def test_unusable_roots(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"source\.root=.*nowhere does not exist"):
        splits(tmp_path / "nowhere")
    celeba_files(tmp_path, 40, zipped=True)
    archive = tmp_path / "img_align_celeba.zip"
    with pytest.raises(UserError, match=r"list_eval_partition\.txt is not a folder"):
        splits(tmp_path / "list_eval_partition.txt")
    with pytest.raises(UserError, match=r"neither img_celeba/ nor img_celeba\.zip, the pictures in the wild"):
        splits(tmp_path, images="in_the_wild")
    (tmp_path / "Img" / "img_celeba.7z").mkdir(parents=True)
    (tmp_path / "Img" / "img_celeba.7z" / "img_celeba.7z.001").write_bytes(b"7z")
    with pytest.raises(
        UserError, match=r"as 7z \(Img/img_celeba\.7z\), which is not read here: unpack it into .*img_celeba"
    ):
        splits(tmp_path, images="in_the_wild")
    archive.write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"img_align_celeba\.zip was cut short"):
        splits(tmp_path)
    write_zip(archive, {"img_align_celeba/a.jpg": b"x"})
    with pytest.raises(
        UserError, match=r"none of the 40 images of list_eval_partition\.txt is in there .*its first is a\.jpg"
    ):
        splits(tmp_path)
    archive.unlink()
    (tmp_path / "img_align_celeba").mkdir()
    with pytest.raises(UserError, match="it holds no picture"):
        splits(tmp_path)
