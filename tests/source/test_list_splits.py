from pathlib import Path

import pytest
from PIL import Image

from src.source.config import CelebaSource, FolderSource, IbugSource, Source, SyntheticSource
from src.source.list_splits import list_splits
from src.source.photograph import Photo
from src.system.errors import UserError
from tests.helpers.drawn_faces import noise_picture


@pytest.mark.parametrize(
    "source", [FolderSource("folder", "gone"), IbugSource("ibug", "gone"), CelebaSource("celeba", "gone")]
)
def test_a_source_on_disk_looks_there(source: Source) -> None:
    with pytest.raises(UserError, match=r"source\.root=gone does not exist"):
        list_splits(source)


def test_drawn_faces_need_no_disk() -> None:
    assert [split.name for split in list_splits(SyntheticSource("synthetic", train=3, val=1))] == ["train", "val"]


def test_what_is_no_source_is_not_taken_for_one() -> None:
    with pytest.raises(AssertionError, match="unreachable"):
        list_splits("folder")  # type: ignore[arg-type]


def test_another_limit_on_pixels_reaches_every_picture_and_is_a_setting(tmp_path: Path) -> None:
    Image.fromarray(noise_picture(20, 10)).save(tmp_path / "a.png")
    usual, limited = (list_splits(FolderSource("folder", str(tmp_path), *limit), "onnx")[0] for limit in ((), (199,)))
    assert isinstance(usual.jobs[0].load(), Photo)
    [bad] = limited.jobs[0].load()  # type: ignore[misc]
    assert "source.max_pixels=200 reads it" in str(bad)
    assert limited.settings == {**usual.settings, "source.max_pixels": 199}
    assert "source.max_pixels" not in usual.settings


def test_a_limit_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"source\.max_pixels=0 is not in 1\.\.1,073,741,824"):
        FolderSource("folder", "x", 0)
