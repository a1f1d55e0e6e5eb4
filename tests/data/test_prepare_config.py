import pytest

from src.config.compose import compose
from src.data.prepare_config import FolderSource, PrepareConfig, SyntheticSource
from src.errors import UserError


def test_impossible_settings() -> None:
    for values, reason in [
        ({"count": 3, "train": 2}, r"give source\.count"),
        ({"train": 0}, r"source\.train=0 is not in 1\.\."),
        ({"count": 3, "seed": -1}, r"source\.seed=-1"),
    ]:
        with pytest.raises(ValueError, match=reason):
            SyntheticSource("synthetic", **values)


def test_the_configs_compose() -> None:
    folder = compose("prepare", PrepareConfig, ["source=folder", "source.root=x", "workers=3", "strict=true"])
    assert folder == PrepareConfig(FolderSource("folder", "x"), "data/folder", workers=3, strict=True)
    drawn = compose("prepare", PrepareConfig, ["source=synthetic", "source.train=20", "out=y"])
    assert drawn == PrepareConfig(SyntheticSource("synthetic", train=20), "y")
    with pytest.raises(UserError, match=r"source.*give source\.count=N for one store"):
        compose("prepare", PrepareConfig, ["source=synthetic", "source.train=20", "source.count=3"])
    assert SyntheticSource("synthetic").counts == {"train": 2000, "val": 200}
    with pytest.raises(UserError, match=r"did you mean 'source\.root'"):
        compose("prepare", PrepareConfig, ["source=folder", "source.rot=x"])
