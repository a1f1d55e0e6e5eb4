import os
import stat
from pathlib import Path

from src.webpage.kept import keep, sweep, swept
from tests.helpers.page_server import until


def test_each_file_keeps_its_name_in_a_private_folder(tmp_path: Path) -> None:
    first, second = (Path(keep(tmp_path, "photo_1.png", content)) for content in (b"1", b"2"))
    assert [first.name, second.name] == ["photo_1.png"] * 2
    assert [first.read_bytes(), second.read_bytes()] == [b"1", b"2"]
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700


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
