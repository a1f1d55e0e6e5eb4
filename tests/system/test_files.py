from pathlib import Path

import pytest

from src.system.files import replacing


def test_the_error_that_is_told_is_that_of_the_block(tmp_path: Path) -> None:
    def block() -> None:
        with replacing(tmp_path / "a", tmp_path / "b") as (one, other):
            one.mkdir()  # cannot be unlinked
            other.touch()
            raise ValueError("the block's")

    with pytest.raises(ValueError, match="the block's"):
        block()
    assert [path.name for path in tmp_path.iterdir()] == [".a.partial"]
