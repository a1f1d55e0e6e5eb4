import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.landmarks.config import AnnotationsConfig
from src.preparation.check_stores import run_check
from src.preparation.config import PrepareConfig
from src.source.config import CelebaSource, FolderSource, SyntheticSource
from src.store.card import CARD, read_card, write_card
from src.store.write import stored_file
from src.system.errors import UserError
from tests.helpers.celeba_files import celeba_files
from tests.helpers.drawn_faces import face_folder, noise_picture
from tests.helpers.tiny_files import write_store


def check(out: Path, source: FolderSource | None = None) -> list[str]:
    """What is said; the error's message last where something is off."""
    said: list[str] = []
    try:
        run_check(PrepareConfig(source or SyntheticSource("synthetic"), str(out)), said.append)
    except UserError as error:
        said.append(str(error))
    return said


def changed(store: Path, name: str, change: object, seal: bool = True) -> None:
    """Change an array of a store, and the card's hash with it unless the damage is to be seen there."""
    array = np.load(store / name)
    change(array)  # type: ignore[operator]
    np.save(store / name, array)
    if seal:
        reseal(store)


def reseal(store: Path) -> None:
    card = read_card(store)
    for name in (*card.files, "rejected.csv", "contact.png"):
        card.files[name] = stored_file(store / name)
    write_card(store, card)


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    for seed, split in enumerate(("train", "val")):
        folder = write_store(tmp_path / "out" / split, 4, seed)
        values = json.loads((folder / CARD).read_text())
        (folder / CARD).write_text(json.dumps(values | {"split": split}))
        rows = (folder / "manifest.csv").read_text().splitlines()
        named = [rows[0], *(f"{split}{row}".replace("person", f"{split} person") for row in rows[1:])]
        text = "\n".join(row.replace("0" * 64, f"{split}{at:02}", 1) for at, row in enumerate(named)) + "\n"
        column = rows[0].split(",").index("split")
        lines = [line.split(",") for line in text.splitlines()]
        for line in lines[1:]:
            line[column] = split
        (folder / "manifest.csv").write_text("\n".join(map(",".join, lines)) + "\n")
        (folder / "rejected.csv").write_text("file,split,reason\n")
        (folder / "contact.png").write_bytes(b"")
        reseal(folder)
    return tmp_path / "out"


def test_a_good_pair_of_splits(splits: Path) -> None:
    said = check(splits)
    assert said == [
        f"{splits}/train: 4 faces, every file matches its card",
        f"{splits}/val: 4 faces, every file matches its card",
        f"{splits}: no identity or picture is in more than one of train, val",
    ]


def test_no_store(tmp_path: Path) -> None:
    assert check(tmp_path / "none") == [
        f"out={tmp_path}/none holds no store to check; make one: python -m src.prepare source=... out={tmp_path}/none"
    ]


def test_a_changed_byte_and_a_cut_file(splits: Path) -> None:
    def flip(array: np.ndarray) -> None:
        array[1, 5, 5, 0] ^= 1

    changed(splits / "train", "images.npy", flip, seal=False)
    path = splits / "val" / "landmarks.npy"
    path.write_bytes(path.read_bytes()[:-4])
    said = check(splits)
    assert "images.npy has changed since it was written: sha256" in said[0]
    assert "landmarks.npy is cut short" in said[1]
    assert said[-1] == f"out={splits}: 2 faults, listed above"


def test_landmarks_out_of_range(splits: Path) -> None:
    def far(array: np.ndarray) -> None:
        array[2, 7] = 400, 20

    def nan(array: np.ndarray) -> None:
        array[1, 7] = np.nan

    def hide(array: np.ndarray) -> None:
        array[3] = False

    changed(splits / "train", "landmarks.npy", far)
    changed(splits / "val", "landmarks.npy", nan)
    changed(splits / "val", "visible.npy", hide)
    said = check(splits)
    assert said[0] == f"{splits}/train: face 2 has a landmark 273 pixels outside its crop"
    assert said[1] == f"{splits}/val: face 1 has a landmark that is not finite"
    assert said[2] == f"{splits}/val: face 3 has no visible landmark"


def edit_manifest(store: Path, old: str, new: str) -> None:
    path = store / "manifest.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    reseal(store)


def test_one_person_or_picture_in_two_splits(splits: Path) -> None:
    edit_manifest(splits / "val", "val person 1", "train person 1")
    edit_manifest(splits / "val", "val01", "train03")
    said = check(splits)
    assert said[2] == "identity train person 1 is in 2 splits: train (train001.png), val (val001.png)"
    assert said[3] == "picture train03 is in 2 splits: train (train002.png), val (val000.png)"


def test_rows_and_counts(splits: Path) -> None:
    edit_manifest(splits / "train", "train02", "train01")
    edit_manifest(splits / "train", ",128,128,", ",128,64,")
    lines = (splits / "val" / "manifest.csv").read_text().splitlines()
    (splits / "val" / "manifest.csv").write_text("\n".join(lines[:-1]) + "\n")
    reseal(splits / "val")
    (splits / "val" / "rejected.csv").write_text("file,split,reason\na.png,val,empty\n")
    reseal(splits / "val")
    said = "\n".join(check(splits))
    assert "face 0 (train000.png) has the crop box" in said
    assert "manifest.csv has 3 rows for 4 faces" in said
    assert "rejected.csv lists 1, the card says 0" in said


def test_the_same_crop_twice_and_a_row_of_another_split(splits: Path) -> None:
    edit_manifest(splits / "train", "train02", "train01")
    assert not any("same crop" in line for line in check(splits))  # equal files with unrelated names are two faces
    edit_manifest(splits / "train", "train001.png", "train000.png")
    column = "train,," if ",train,," in (splits / "train" / "manifest.csv").read_text() else "train"
    edit_manifest(splits / "train", f",{column}", f",{column.replace('train', 'test')}")
    said = "\n".join(check(splits))
    assert "faces 0 and 1 (train000.png) are the same crop of the same picture" in said
    assert "belongs to split 'test', but the store is 'train'" in said


def test_pictures_that_changed_since(tmp_path: Path) -> None:
    root = face_folder(tmp_path / "faces", ["a.png", "b.png", "c.png"])
    source, out = FolderSource("folder", str(root)), tmp_path / "out"
    said = check(out, source)  # makes the store first
    assert said[-1] == f"{out}: 3 faces, every file matches its card"
    Image.fromarray(noise_picture(128, 128, 9)).save(root / "images" / "b.png")
    (root / "images" / "c.png").unlink()
    assert check(out)[-1] == f"{out}: 3 faces, every file matches its card"
    said = check(out, source)
    assert said[1].startswith(f"{out} was made with source.root=3 files")
    assert said[2:4] == [
        f"{out}: images/b.png has changed since the store was made",
        f"{out}: images/c.png is no longer in the source",
    ]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("card.json", b"{"),
        ("card.json", b'{"layout": 2, "faces": "four"}'),
        ("manifest.csv", None),
        ("landmarks.npy", None),
        ("visible.npy", None),
        ("rejected.csv", b"\xff\xfe"),
        ("contact.png", b"x"),
    ],
)
def test_any_damage_is_a_line_and_the_other_split_is_checked(splits: Path, name: str, damage: bytes | None) -> None:
    path = splits / "train" / name
    data = path.read_bytes()
    # The same size, so that only the hash and the reader can tell.
    path.write_bytes(damage if damage is not None else bytes([data[0] ^ 0xFF]) + data[1:])
    said = check(splits)
    assert name in said[0]
    assert said[-2] == f"{splits}/val: 4 faces, every file matches its card"
    assert said[-1].endswith("listed above")


def test_arrays_of_another_type_are_told_even_where_the_hash_was_made_anew(splits: Path) -> None:
    path = splits / "train" / "landmarks.npy"
    header = np.lib.format.header_data_from_array_1_0(np.load(path))
    with path.open("r+b") as file:
        np.lib.format.write_array_header_1_0(file, {**header, "descr": "<i4"})
    reseal(splits / "train")
    assert "landmarks.npy is int32 (4, 68, 2), not float32 (4, 68, 2)" in check(splits)[0]


def test_a_split_without_its_card_swapped_folders_and_edited_settings(splits: Path) -> None:
    card = splits / "val" / CARD
    text = card.read_text()
    card.unlink()
    assert "val is not a store" in check(splits)[1]
    card.write_text(text.replace('"settings": {}', '"settings": {"side": 64}'))
    assert "the settings in its card are not those" in check(splits)[1]
    card.write_text(text)
    (splits / "val").rename(splits / "test")
    assert f"{splits}/test: its card says split 'val', but the folder has another name" in check(splits)


def test_a_split_that_the_source_has_and_a_source_that_is_gone(tmp_path: Path) -> None:
    root, out = celeba_files(tmp_path / "files", 80), tmp_path / "out"
    config = PrepareConfig(CelebaSource("celeba", str(root)), str(out), AnnotationsConfig("annotations"))
    run_check(config, print)
    shutil.rmtree(out / "val")
    said: list[str] = []
    with pytest.raises(UserError, match="1 fault, listed above"):
        run_check(config, said.append)
    assert said[-1] == f"{out}/val is missing, though the source has that split"
    some = PrepareConfig(CelebaSource("celeba", str(root), splits=("test",)), str(out), config.landmarks)
    run_check(some, print)
    shutil.rmtree(root)
    with pytest.raises(UserError, match="1 fault, listed above"):
        run_check(config, said.append)
    assert "the source cannot be compared: " in said[-1]
