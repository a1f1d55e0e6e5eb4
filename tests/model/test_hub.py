"""Releases on the hub: pulled from a server that cuts and lies, never taken for whole before their checksums fit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from src.model.checkpoint import load_checkpoint
from src.model.hub import pull, push
from src.model.release import load_release, write_release
from src.system.errors import UserError
from tests.helpers.hub_server import Hub, hub_of

NAME = "someone/tiny"


@pytest.fixture(scope="module")
def release(checkpoint_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("releases") / "tiny"
    write_release(load_checkpoint(checkpoint_file), folder, "# A card\n")
    (folder / "pickle.bin").write_bytes(b"never asked for")
    return folder


@pytest.fixture
def hub(release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    import huggingface_hub.file_download

    monkeypatch.setattr(huggingface_hub.file_download.time, "sleep", lambda seconds: None)  # between its tries
    with hub_of(release, NAME) as server:
        yield server


def refused(*words: object) -> str:
    with pytest.raises(UserError) as caught:
        pull(*words)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_release_is_pulled_once_and_then_lies_in_the_cache(hub: Hub, tmp_path: Path, release: Path) -> None:
    folder = pull(f"hub:{NAME}", hub.address, tmp_path)
    assert folder.is_relative_to(tmp_path)
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json", "README.md", "SHA256SUMS"}
    assert load_release(folder).weights == "raw"
    hub.asked.clear()
    assert pull(NAME, hub.address, tmp_path) == folder
    assert [line for line in hub.asked if "model.safetensors" in line] == []


def test_a_cut_transfer_is_never_a_release(hub: Hub, tmp_path: Path) -> None:
    hub.cut = {"model.safetensors"}
    assert f"{NAME} cannot be downloaded" in refused(NAME, hub.address, tmp_path)
    nowhere = "http://127.0.0.1:9"
    assert NAME in refused(NAME, nowhere, tmp_path) or "no whole release" in refused(NAME, nowhere, tmp_path)
    hub.cut = set()
    assert load_release(pull(NAME, hub.address, tmp_path))


def test_a_file_that_ends_early_without_a_word_does_not_fit_its_checksum(hub: Hub, tmp_path: Path) -> None:
    hub.lie = {"model.safetensors"}
    said = refused(NAME, hub.address, tmp_path)
    assert "does not fit its checksum" in said or "cannot be downloaded" in said
    hub.lie = set()
    assert load_release(pull(NAME, hub.address, tmp_path)), "what is damaged in the cache is downloaded again"


def test_a_name_that_is_not_there_is_one_line(hub: Hub, tmp_path: Path) -> None:
    assert "no release is called someone/other on the hub" in refused("someone/other", hub.address, tmp_path)


def test_a_hub_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert f"{NAME} cannot be downloaded" in refused(NAME, "http://127.0.0.1:9", tmp_path)


@pytest.mark.parametrize("name", ["tiny", "a/b/c", "../tiny", "a/..", "hub:/etc/passwd", "a/b\nc", "", "a/b@c"])
def test_a_name_that_is_none_never_reaches_the_hub(name: str) -> None:
    assert "is neither a folder nor the name of a release" in refused(name, "http://127.0.0.1:9")


def test_a_folder_is_itself_once_it_is_verified(release: Path, tmp_path: Path) -> None:
    assert pull(release) == release
    assert "is no release" in refused(tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in release.iterdir():
        (copy / file.name).write_bytes(file.read_bytes()[:-1])
    assert "does not fit its checksum" in refused(copy) or "has no line for" in refused(copy)


def test_only_a_whole_release_is_pushed_and_only_its_files(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    asked: list[tuple[str, dict[str, object]]] = []

    class Recorded:
        commit_url = "https://hub/commit/1"

        def __init__(self, endpoint: str | None) -> None:
            asked.append(("hub", {"endpoint": endpoint}))

        def create_repo(self, name: str, **words: object) -> None:
            asked.append((name, words))

        def upload_folder(self, **words: object) -> "Recorded":
            asked.append(("upload", words))
            return self

    monkeypatch.setattr(huggingface_hub, "HfApi", Recorded)
    assert push(release, NAME, "http://here") == "https://hub/commit/1"
    assert asked[0] == ("hub", {"endpoint": "http://here"})
    assert asked[1] == (NAME, {"private": True, "exist_ok": True})
    assert sorted(asked[2][1]["allow_patterns"]) == ["README.md", "SHA256SUMS", "config.json", "model.safetensors"]  # type: ignore[call-overload]
    asked.clear()
    with pytest.raises(UserError, match="no whole release"):
        push(tmp_path, NAME)
    with pytest.raises(UserError, match="no name on the hub"):
        push(release, "tiny")
    assert asked == []


def test_a_push_without_a_login_is_one_line(release: Path, hub: Hub) -> None:
    with pytest.raises(UserError, match="cannot be pushed to someone/tiny"):
        push(release, NAME, hub.address)
