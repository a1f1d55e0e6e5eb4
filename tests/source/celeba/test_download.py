from pathlib import Path

import pytest

from src.source.celeba.download import FILES, complaint, download, fetch_by_torchvision, main
from src.system.errors import UserError
from tests.helpers.celeba_files import celeba_files, change_line


class Fetcher:
    """Delivers what `files` has, and fails with what it has instead."""

    def __init__(self, files: dict[str, bytes | Exception]) -> None:
        self.files, self.asked = files, list[str]()

    def __call__(self, name: str, folder: Path) -> None:
        self.asked.append(name)
        given = self.files.get(name, UserError(f"{name}: the quota is used up"))
        if isinstance(given, Exception):
            raise given
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(given)


def outcome(root: Path, fetch: Fetcher) -> tuple[bool, str]:
    lines: list[str] = []
    return download(root, lines.append, fetch, rows=40), "\n".join(lines)


def small_celeba(root: Path) -> dict[str, bytes | Exception]:
    celeba_files(root, 40, zipped=True)
    return {name: (root / name).read_bytes() for name in FILES}


def test_what_is_there_is_not_downloaded(tmp_path: Path) -> None:
    fetch = Fetcher({})
    for layout, zipped in (("flat", True), ("official", True), ("torchvision", False)):
        root = celeba_files(tmp_path / layout, 40, zipped=zipped, layout=layout)
        assert outcome(root, fetch) == (True, f"{root}: CelebA is complete (40 images): nothing to download")
    assert fetch.asked == []


def test_only_what_is_missing_or_broken_is_fetched(tmp_path: Path) -> None:
    files = small_celeba(tmp_path / "other")
    root = celeba_files(tmp_path / "root", 40, zipped=True, layout="torchvision")
    (root / "celeba" / "identity_CelebA.txt").unlink()
    (root / "celeba" / "img_align_celeba.zip").write_bytes(b"<!DOCTYPE html><title>Quota exceeded</title>")
    change_line(root / "celeba" / "list_eval_partition.txt", 7, None)
    fetch = Fetcher(files)
    complete, said = outcome(root, fetch)
    assert complete
    assert fetch.asked == ["img_align_celeba.zip", "list_eval_partition.txt", "identity_CelebA.txt"]
    assert said.endswith("CelebA is complete (40 images): OK")


def test_what_failed_is_named_with_its_place(tmp_path: Path) -> None:
    files = small_celeba(tmp_path / "other")
    root = tmp_path / "root"
    root.mkdir()
    # One file's quota says nothing of another's.
    complete, said = outcome(root, Fetcher({name: files[name] for name in FILES if not name.endswith(".zip")}))
    assert not complete
    assert "img_align_celeba.zip: the quota is used up" in said
    assert "\n  img_align_celeba.zip: is missing\n  list_eval_partition.txt: OK\n" in said
    assert f"  Img/img_align_celeba.zip (1,443.5 MB) to {root}/celeba/img_align_celeba.zip\nThe zip" in said
    assert "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html" in said
    # The page that says so is no archive.
    fetch = Fetcher({"img_align_celeba.zip": b"<html>Google Drive - Quota exceeded"})
    complete, said = outcome(root, fetch)
    assert not complete
    assert "img_align_celeba.zip: is broken: " in said
    assert "is a web page, not a zip archive" in said
    assert fetch.asked == ["img_align_celeba.zip"]


def test_without_a_connection_it_stops_at_once(tmp_path: Path) -> None:
    fetch = Fetcher({"img_align_celeba.zip": ConnectionError("no route")})
    complete, said = outcome(tmp_path, fetch)
    assert not complete
    assert fetch.asked == ["img_align_celeba.zip"]
    assert "failed: no route" in said
    assert all(f"{name} (" in said for name in FILES)


def test_counts_are_checked(tmp_path: Path) -> None:
    celeba_files(tmp_path, 40)
    assert complaint(tmp_path, "img_align_celeba.zip", 40) == ""
    (tmp_path / "img_align_celeba" / "000007.jpg").unlink()
    assert complaint(tmp_path, "img_align_celeba.zip", 40) == (
        f"is incomplete: {tmp_path}/img_align_celeba has 39 pictures instead of 40"
    )
    assert complaint(tmp_path, "list_bbox_celeba.txt").endswith("has 40 rows instead of 202,599")


def test_google_s_failures_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets.utils as torchvision_utils

    from src.source.celeba import download as celeba_download

    class Answer:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    asked = []

    def fail(file_id: str, folder: str, name: str, md5: str) -> None:
        asked.append((file_id, folder, name, md5))
        raise RuntimeError("Too many users have viewed\n\tor downloaded this file recently.")

    monkeypatch.setattr(celeba_download.urllib.request, "urlopen", lambda *_, **__: Answer())
    monkeypatch.setattr(torchvision_utils, "download_file_from_google_drive", fail)
    with pytest.raises(UserError, match=r"^identity_CelebA\.txt: Too many users have viewed or downloaded this file"):
        fetch_by_torchvision("identity_CelebA.txt", tmp_path)
    (call,) = asked
    assert call[1:] == (str(tmp_path), "identity_CelebA.txt", "32bd1bd63d3c78cd57e08160ec5ed1e2")

    def unreachable(*_: object, **options: float) -> None:
        assert options["timeout"] <= 30
        raise OSError("no route to host")

    monkeypatch.setattr(celeba_download.urllib.request, "urlopen", unreachable)
    with pytest.raises(ConnectionError, match="cannot be reached"):
        fetch_by_torchvision("identity_CelebA.txt", tmp_path)


def test_torchvision_knows_every_file() -> None:
    from torchvision.datasets import CelebA

    assert {name for _, _, name in CelebA.file_list} == set(FILES)


@pytest.mark.parametrize(("words", "said"), [([], "required: root"), (["a_file"], "is a file: give a folder")])
def test_the_command_s_own_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a_file").write_text("")
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_command_ends_with_2_where_something_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from src.source.celeba import download as celeba_download

    def offline(root: Path, say: object) -> bool:
        return download(root, print, Fetcher({"img_align_celeba.zip": ConnectionError("no route")}))

    monkeypatch.setattr(celeba_download, "download", offline)
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path)])
    assert ended.value.code == 2
    assert "To download by hand" in capsys.readouterr().out
