import pytest

from src.system.companions import has_companion, is_companion

COMPANIONS = ["._a.jpg", ".DS_Store", "__MACOSX", "Thumbs.db", "THUMBS.DB", "ehthumbs.db", "desktop.ini", "@eaDir",
              "$RECYCLE.BIN", "#recycle", "#snapshot", "@Recycle", ".Trashes", ".Trash-1000", ".Spotlight-V100",
              "System Volume Information", "lost+found", "Icon\r"]  # fmt: skip


@pytest.mark.parametrize("name", COMPANIONS)
def test_companions(name: str) -> None:
    assert is_companion(name)
    assert has_companion(f"a/{name}")
    assert has_companion(f"{name}/a.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "_a.jpg", "a._b.jpg", "MACOSX", "thumbs.jpg", "desktop.ini.jpg", "#1.jpg"])
def test_a_persons_own_files_are_not(name: str) -> None:
    assert not is_companion(name)
    assert not has_companion(f"../b/./{name}")
