import pytest

from src.source.config import CelebaSource, FolderSource, IbugSource, Source, SyntheticSource
from src.source.list_splits import list_splits
from src.system.errors import UserError


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
