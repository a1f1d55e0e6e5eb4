import pytest

from src.config.compose import compose
from src.preparation.config import PrepareConfig
from src.preparation.crop_rules import CelebaAlignedCrop
from src.source.config import FolderSource, SyntheticSource
from src.system.errors import UserError


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


def test_shards_and_crops_are_checked() -> None:
    shard = compose("prepare", PrepareConfig, ["shard=3", "shards=4"])
    assert (shard.shard, shard.shards) == (3, 4)
    with pytest.raises(UserError, match=r"shard=8 is not in 0\.\.7; for more shards give shards=N"):
        compose("prepare", PrepareConfig, ["shard=8"])
    fixed = compose("prepare", PrepareConfig, ["crop=celeba_aligned", "crop.max_replicated_border=0.1"])
    assert fixed.crop == CelebaAlignedCrop("celeba_aligned", (0, 20, 178, 198), 0.1)
    with pytest.raises(UserError, match="is not a square"):
        compose("prepare", PrepareConfig, ["crop=celeba_aligned", "crop.box=[0,0,178,218]"])
    with pytest.raises(UserError, match=r"max_replicated_border=2\.0 is not in 0\.\.1"):
        compose("prepare", PrepareConfig, ["crop.max_replicated_border=2.0"])


def test_every_backend_composes() -> None:
    for name in ("auto", "face_alignment", "onnx", "annotations"):
        assert compose("prepare", PrepareConfig, [f"landmarks={name}"]).landmarks.name == name
