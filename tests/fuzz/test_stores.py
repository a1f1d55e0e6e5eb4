"""Stores with damaged files end in faces or in one line; every list that is written is read again."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.preparation.check_stores import run_check
from src.preparation.config import PrepareConfig
from src.source.config import FolderSource
from src.store.card import ARRAYS, CARD, MANIFEST, REJECTED
from src.store.manifest import read_rejected, write_rejected
from src.store.read import FaceStore
from src.system.errors import BadFace, in_one_line
from src.system.files import utf8
from tests.helpers.fuzzing import (
    assert_one_line,
    changed_bytes,
    changed_lines,
    changed_tree,
    result_or_line,
)
from tests.helpers.tiny_files import write_store

FACES = 2


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = write_store(tmp_path_factory.mktemp("stores") / "val", FACES, margin=0)
    write_rejected(store / REJECTED, [("val", BadFace("a.png", "no face found"))])
    return store


def check_store(good: Path, file: str, content: bytes, sized: bool = True) -> None:
    """The store with one file replaced; `sized`: its card has the new file's size."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "val")
        shutil.copytree(good, store)
        (store / file).write_bytes(content)
        if sized and file != CARD:
            card = json.loads((store / CARD).read_text())
            if file in card["files"]:
                card["files"][file]["bytes"] = len(content)
            (store / CARD).write_text(json.dumps(card))
        result_or_line(lambda: _everything(store))
        lines: list[str] = []
        config = PrepareConfig(FolderSource("folder", "nowhere"), folder, check=True)
        result_or_line(lambda: run_check(config, lines.append))
        for line in lines:
            assert_one_line(line)


def _everything(path: Path) -> None:
    store = FaceStore(path)
    rows = range(len(store))
    assert len(store.images(rows)) == len(store.landmarks(rows)) == len(store.visible(rows)) == len(store)
    assert len(store.manifest) == len(store)
    read_rejected(path / REJECTED)


@given(st.data())
def test_cards_with_changed_values(good: Path, data: st.DataObject) -> None:
    card = json.loads((good / CARD).read_text())
    check_store(good, CARD, utf8(json.dumps(data.draw(changed_tree(card)))))


@given(st.data())
def test_files_with_changed_bytes(good: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from([CARD, MANIFEST, REJECTED, *ARRAYS]))
    check_store(good, file, data.draw(changed_bytes([(good / file).read_bytes()])), data.draw(st.booleans()))


@given(st.data())
def test_lists_with_changed_lines(good: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from([MANIFEST, REJECTED]))
    check_store(good, file, utf8(data.draw(changed_lines([(good / file).read_text()]))))


NAMES = st.text(
    st.characters(exclude_categories=()), min_size=1, max_size=20
)  # with line ends, and bytes that are no UTF-8


@given(st.lists(st.tuples(NAMES, st.text(max_size=20))))
def test_rejects_are_read_as_they_were_written(rejects: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, REJECTED)
        write_rejected(path, [("val", BadFace(file, reason)) for file, reason in rejects])
        found = read_rejected(path)
    assert [(split, utf8(bad.file)) for split, bad in found] == [
        ("val", utf8(in_one_line(file))) for file, _ in rejects
    ]
