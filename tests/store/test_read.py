import csv
import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from src.store.card import StoreError, read_card
from src.store.face import Face, FaceRow
from src.store.read import FaceStore, FaceStores
from src.store.write import StoreWriter, recover
from tests.helpers.drawn_faces import noise_picture, schematic_face
from tests.helpers.tiny_files import write_store


def face(number: int) -> Face:
    visible = np.ones(68, np.bool_)
    visible[number] = False
    row = FaceRow(f"a,{number}.png", f"p{number}", (0.1, 1 / 3, 2.5, 3.0), "annotations", 0.5, "ab" * 32)
    return Face(noise_picture(128, 128, number), schematic_face(size=60 + number), visible, row)


def make_store(path: Path, faces: int = 5, first: int = 0, overwrite: bool = False) -> Path:
    with StoreWriter(path, overwrite) as writer:
        for number in range(first, first + faces):
            writer.add(face(number), "train")
        writer.seal("train", {"source": "test", "source.seed": first}, {"name": "test"}, 0)
        writer.publish()
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = FaceStore(make_store(tmp_path / "new" / "s"))
    order = [3, 0, 4]
    assert len(store) == 5
    for index, image, landmarks, visible in zip(
        order, store.images(order), store.landmarks(order), store.visible(order), strict=True
    ):
        assert np.array_equal(image, face(index).image)
        assert np.array_equal(landmarks, face(index).landmarks)
        assert np.array_equal(visible, face(index).visible)
    assert store.images(order).dtype == np.uint8
    assert type(store.images(order)) is np.ndarray
    assert store.manifest[2] == FaceRow("a,2.png", "p2", (0.1, 1 / 3, 2.5, 3.0), "annotations", 0.5, "ab" * 32, "train")
    assert np.load(store.path / "images.npy").shape == (5, 128, 128, 3)
    assert list((tmp_path / "new").iterdir()) == [store.path]


def test_surroundings_are_read_and_cut_to_what_all_stores_have(tmp_path: Path) -> None:
    wide, narrow = write_store(tmp_path / "wide", 3, margin=48), write_store(tmp_path / "narrow", 2, margin=16)
    assert read_card(wide).margin == 48
    assert FaceStore(wide).images([1]).shape == (1, 224, 224, 3)
    both = FaceStores([wide, narrow])
    assert both.margin == 16
    images = both.images([4, 0, 1])
    assert images.shape == (3, 160, 160, 3)
    assert np.array_equal(images[1], FaceStore(wide).images([0])[0, 32:-32, 32:-32])
    assert np.array_equal(images[0], FaceStore(narrow).images([1])[0])
    assert both.images([0], margin=0).shape == (1, 128, 128, 3)


def test_a_store_of_layout_2_is_read_as_one_without_surroundings(tmp_path: Path) -> None:
    path = make_store(tmp_path / "s")
    rows = list(csv.reader((path / "manifest.csv").open()))
    kept = rows[0].index("roll_deg")
    text = "".join(",".join(f'"{word}"' for word in row[:kept]) + "\n" for row in rows)
    (path / "manifest.csv").write_text(text)
    card = json.loads((path / "card.json").read_text())
    del card["margin"]
    card["layout"] = 2
    card["files"]["manifest.csv"] = {"bytes": len(text.encode()), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    (path / "card.json").write_text(json.dumps(card))
    store = FaceStore(path)
    assert store.card.margin == 0
    assert store.manifest[2].matrix is None
    assert store.manifest[2].crop_box == (0.1, 1 / 3, 2.5, 3.0)
    assert store.wrong_hashes() == []


def test_a_margin_that_the_images_do_not_have_is_refused(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s", 3, margin=48)
    text = (path / "card.json").read_text()
    assert '"margin": 48' in text
    (path / "card.json").write_text(text.replace('"margin": 48', '"margin": 16'))
    with pytest.raises(
        StoreError, match=r"images\.npy is uint8 \(3, 224, 224, 3\), not uint8 \(3, 160, 160, 3\) as its card"
    ):
        FaceStore(path)


def test_what_the_manifest_says_of_a_crop_reads_back(tmp_path: Path) -> None:
    matrix = (0.1, 1 / 3, -2.5, 7.0, 1e-9, 3.0)
    row = FaceRow("a.png", "p", (0.0, 0.0, 9.0, 9.0), "test", 1.0, "0" * 64, roll_deg=-12.5, matrix=matrix, inside=0.75)
    with StoreWriter(tmp_path / "s") as writer:
        writer.add(Face(noise_picture(128, 128, 1), schematic_face(), np.ones(68, np.bool_), row))
        writer.seal("", {}, {"name": "test"}, 0)
        writer.publish()
    assert FaceStore(tmp_path / "s").manifest == [row]


def test_the_card_has_the_files_hashes(tmp_path: Path) -> None:
    path = make_store(tmp_path / "s")
    for name, record in read_card(path).files.items():
        data = (path / name).read_bytes()
        assert (record.bytes, record.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_batch_is_a_copy(tmp_path: Path) -> None:
    store = FaceStore(make_store(tmp_path / "s"))
    store.images([0])[:] = 0
    assert np.array_equal(store.images([0])[0], face(0).image)


def test_pickled_stores_carry_no_arrays(tmp_path: Path) -> None:
    stores = FaceStores([make_store(tmp_path / "s", 40)])
    expected, _ = stores.images([1]), stores.row(1)
    pickled = pickle.dumps(stores)
    assert len(pickled) < 5000
    assert np.array_equal(pickle.loads(pickled).images([1]), expected)


def test_opening_maps_nothing(tmp_path: Path) -> None:
    store = FaceStore(make_store(tmp_path / "s"))
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert str(store.path) not in maps.read_text()
        store.landmarks([0])
        assert str(store.path / "landmarks.npy") in maps.read_text()
        assert str(store.path / "images.npy") not in maps.read_text()


def test_several_stores_are_one_data_set(tmp_path: Path) -> None:
    stores = FaceStores([make_store(tmp_path / "a", 3), make_store(tmp_path / "b", 2, first=3)])
    assert len(stores) == 5
    order = [4, 0, 2, 3, 3]
    assert np.array_equal(stores.images(order), np.stack([face(number).image for number in order]))
    assert np.array_equal(stores.visible(order), np.stack([face(number).visible for number in order]))
    assert np.array_equal(stores.landmarks(order), np.stack([face(number).landmarks for number in order]))
    assert stores.row(3).identity == "p3"
    for outside in (5, -1):
        with pytest.raises(IndexError):
            stores.images([0, outside])
    with pytest.raises(StoreError, match="no store was given"):
        FaceStores([])


def test_not_there_or_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none does not exist; make it with: python -m src\.prepare"):
        FaceStore(tmp_path / "none")
    with pytest.raises(StoreError, match="is a file"):
        FaceStore(make_store(tmp_path / "s") / "card.json")
    (tmp_path / "s" / "visible.npy").unlink()
    with pytest.raises(StoreError, match=r"is not a store: it has no visible\.npy; make"):
        FaceStore(tmp_path / "s")
    make_store(tmp_path / "out" / "train")
    make_store(tmp_path / "out" / "val")
    with pytest.raises(StoreError, match=r"out/train or .*out/val$"):
        FaceStore(tmp_path / "out")


@pytest.mark.parametrize("name", ["images.npy", "landmarks.npy", "visible.npy", "manifest.csv"])
def test_cut_short(tmp_path: Path, name: str) -> None:
    path = make_store(tmp_path / "s") / name
    size = path.stat().st_size
    os.truncate(path, size - 1000 if name == "images.npy" else size - 1)
    with pytest.raises(StoreError, match=rf"{name} is cut short: [\d,]+ bytes, {size:,} expected; .* overwrite=true"):
        FaceStore(tmp_path / "s")


def test_other_layout_and_damaged_cards(tmp_path: Path) -> None:
    card = make_store(tmp_path / "s") / "card.json"
    values = json.loads(card.read_text())
    for text, reason in [
        (json.dumps(values | {"layout": 1}), "has the store layout 1, this version reads 2"),
        (json.dumps(values | {"extra": 2}), "does not describe a store"),
        (json.dumps(values | {"faces": 0}), "is an empty store"),
        (json.dumps(values | {"files": {}}), r"does not list images\.npy"),
        ("[]", "cannot be read"),
        ("{", "cannot be read"),
    ]:
        card.write_text(text)
        with pytest.raises(StoreError, match=reason) as caught:
            FaceStore(tmp_path / "s")
        assert "\n" not in str(caught.value)
        assert "overwrite=true" in str(caught.value)


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with StoreWriter(tmp_path / "s") as writer:
            writer.add(face(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_wrong_arrays_are_refused(tmp_path: Path) -> None:
    good = face(0)
    nan = good.landmarks.copy()
    nan[0] = np.nan
    with StoreWriter(tmp_path / "s") as writer:
        for image, landmarks in [(good.image[:64], good.landmarks), (good.image, nan), (good.image.astype(float), nan)]:
            with pytest.raises(ValueError, match=r"\.npy must be|must be finite"):
                writer.add(Face(image, landmarks, good.visible, good.row))


def test_two_writers_of_one_store_refuse_each_other(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s") as first:
        first.add(face(0))
        with pytest.raises(StoreError, match="being written by another process"):
            StoreWriter(tmp_path / "s")
        first.seal("", {}, {}, 0)
        first.publish()
    assert len(FaceStore(tmp_path / "s")) == 1


def test_overwriting_keeps_the_old_store_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = make_store(tmp_path / "s", 2)
    with StoreWriter(path, overwrite=True) as writer:
        writer.add(face(9))
    assert len(FaceStore(path)) == 2
    make_store(path, 3, overwrite=True)
    assert len(FaceStore(path)) == 3
    assert list(tmp_path.iterdir()) == [tmp_path / "s"]
    path.rename(tmp_path / ".s.replaced")  # killed between publish's two renames
    recover(path)
    assert len(FaceStore(path)) == 3


KILLED = """
import sys, time
sys.path[:0] = [{root!r}, {here!r}]
from tests.store.test_read import *
with StoreWriter(Path({path!r})) as writer:
    for number in range(8):
        writer.add(face(number))
    writer.seal("", {{}}, {{}}, 0)
    print("sealed", flush=True)
    time.sleep(60)
"""


def test_kill_in_mid_write_leaves_no_half_store(tmp_path: Path) -> None:
    here = Path(__file__).parent
    script = KILLED.format(root=str(here.parents[1]), here=str(here), path=str(tmp_path / "s"))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        assert writing.stdout.readline() == b"sealed\n"
        writing.send_signal(signal.SIGKILL)
    assert not (tmp_path / "s").exists()
    (tmp_path / ".s.partial" / "contact.png").touch()
    assert len(FaceStore(make_store(tmp_path / "s", 2))) == 2  # what was left over is no hindrance
    assert not (tmp_path / "s" / "contact.png").exists()
    assert list(tmp_path.iterdir()) == [tmp_path / "s"]


def test_a_copied_store_is_a_store(tmp_path: Path) -> None:
    shutil.copytree(make_store(tmp_path / "a"), tmp_path / "b")
    assert np.array_equal(FaceStore(tmp_path / "b").images([4])[0], face(4).image)


@pytest.mark.parametrize(("margin", "layout"), [(-176, 3), (129, 3), (48, 2), (47, 3)])
def test_a_card_with_an_impossible_margin_is_one_line(margin: int, layout: int, tmp_path: Path) -> None:
    """One face, so that the size of the file alone would hardly tell 47 from 48."""
    path = write_store(tmp_path / "s", 1, margin=48)
    card = json.loads((path / "card.json").read_text())
    (path / "card.json").write_text(json.dumps(card | {"margin": margin, "layout": layout}))
    with pytest.raises(StoreError, match="margin of") as raised:
        FaceStore(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\1\0\4\0'''\n", b"{0: 1}"])
def test_an_array_that_is_none_is_refused_when_the_store_is_opened(tmp_path: Path, content: bytes) -> None:
    path = write_store(tmp_path / "s", 2, margin=0)
    card = json.loads((path / "card.json").read_text())
    card["files"]["landmarks.npy"]["bytes"] = len(content)
    (path / "card.json").write_text(json.dumps(card))
    (path / "landmarks.npy").write_bytes(content)
    with pytest.raises(StoreError, match=r"landmarks\.npy is no array, not float32 \(2, 68, 2\)"):
        FaceStore(path)
