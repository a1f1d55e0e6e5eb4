import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import pytest
from PIL import Image

from src.webpage import kept
from src.webpage.kept import keep, keep_photograph, keep_picture, size_of, sweep, swept
from tests.helpers.page_server import until


def test_each_file_keeps_its_name_in_a_private_folder(tmp_path: Path) -> None:
    first, second = (Path(keep(tmp_path, "photo_1.png", content)) for content in (b"1", b"2"))
    third = Path(keep(tmp_path, "photo_2.png", b"1"))
    assert [first.name, second.name, third.name] == ["photo_1.png", "photo_1.png", "photo_2.png"]
    assert len({path.parent for path in (first, second, third)}) == 3
    assert [first.read_bytes(), second.read_bytes()] == [b"1", b"2"]
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700


def test_one_who_reads_a_file_while_it_is_kept_again_has_all_of_it(tmp_path: Path) -> None:
    content, ended = bytes(1_000_000), threading.Event()
    path = Path(keep(tmp_path, "a.png", content))

    def again() -> None:
        while not ended.is_set():
            keep(tmp_path, "a.png", content)

    writers = [threading.Thread(target=again) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        assert {len(path.read_bytes()) for _ in range(200)} == {len(content)}
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    assert [*tmp_path.rglob("*")] == [path.parent, path]


def test_a_picture_has_one_path_and_lives_on_when_it_is_kept_again(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    path = Path(keep_picture(tmp_path, pixels))
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), pixels)
    os.utime(path, (0, 0))
    assert keep_picture(tmp_path, pixels) == str(path)
    sweep(tmp_path, 100)
    assert path.exists()
    assert keep_picture(tmp_path, pixels[:, ::-1]) != str(path)


def test_who_knows_a_picture_does_not_know_its_path(tmp_path: Path) -> None:
    assert hashlib.sha256(b"a.png/1").hexdigest() not in keep(tmp_path, "a.png", b"1")


def test_a_photograph_that_is_shown_takes_little(tmp_path: Path) -> None:
    pixels = np.asarray(Image.effect_noise((400, 300), 30).convert("RGB"))
    small, large = (Path(keeps(tmp_path, pixels)) for keeps in (keep_photograph, keep_picture))
    with Image.open(small) as image:
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - pixels).mean() < 30
    assert small.stat().st_size < large.stat().st_size / 2


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="name too long"):
        keep(tmp_path, "a" * 300, b"1")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_empty_folder_of_an_earlier_time_is_not_swept_before_it_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(keep(tmp_path, "a.png", b"1"))
    path.unlink()
    os.utime(path.parent, (0, 0))

    def after_a_sweep(**kwargs: Any) -> Any:
        sweep(tmp_path, 100)
        return NamedTemporaryFile(**kwargs)

    monkeypatch.setattr(kept, "NamedTemporaryFile", after_a_sweep)
    assert keep(tmp_path, "a.png", b"1") == str(path)


def test_old_files_go_at_any_depth_and_new_ones_stay(tmp_path: Path) -> None:
    old, new = Path(keep(tmp_path, "a.png", b"1")), Path(keep(tmp_path, "b.png", b"2"))
    upload = tmp_path / "hash" / "deep" / "c.jpg"
    upload.parent.mkdir(parents=True)
    upload.touch()
    for path in (old, upload):
        os.utime(path, (0, 0))
    sweep(tmp_path, 100)
    assert [old.exists(), upload.exists(), new.exists()] == [False, False, True]


def test_old_files_go_while_nobody_asks_for_anything(tmp_path: Path) -> None:
    old = Path(keep(tmp_path, "a.png", b"1"))
    os.utime(old, (0, 0))
    with swept(tmp_path, every=0.01):
        until(lambda: not old.exists())


def test_a_folder_goes_when_it_has_been_empty_for_long(tmp_path: Path) -> None:
    old, fresh, full = tmp_path / "old", tmp_path / "fresh", Path(keep(tmp_path, "a.png", b"1"))
    for folder in (old, fresh):
        folder.mkdir()
    for path in (old, full.parent, tmp_path):
        os.utime(path, (0, 0))
    sweep(tmp_path, 100)
    assert [old.exists(), fresh.exists(), full.exists()] == [False, True, True]
    full.unlink()
    for path in (*tmp_path.iterdir(), tmp_path):
        os.utime(path, (0, 0))
    sweep(tmp_path, 100)
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_vanishes_does_not_end_the_sweeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    scandir, looks = os.scandir, list[object]()

    def gone(path: str | Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "gone":
            looks.append(path)
            raise FileNotFoundError
        return scandir(path)

    monkeypatch.setattr("os.scandir", gone)
    with swept(tmp_path, every=0.01):
        until(lambda: looks)
        old = Path(keep(tmp_path, "a.png", b"1"))
        os.utime(old, (0, 0))
        until(lambda: not old.exists(), 5)


def test_a_file_that_vanishes_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.png", "gone.png"):
        keep(tmp_path, name, b"12")
    stat_of, looks = Path.stat, list[Path]()

    def gone(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == "gone.png":
            looks.append(path)
            raise FileNotFoundError
        return stat_of(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", gone)
    assert size_of(tmp_path) == 2
    assert looks
