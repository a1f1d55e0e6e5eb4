"""The run of a dictionary: its folder, the same command again, what it refuses, and its evaluation."""

import json
import logging
from pathlib import Path

import pytest
import yaml

from src.config.compose import compose
from src.evaluate import main as evaluate
from src.method.dictionary_file import read_card
from src.system.errors import UserError
from src.train import main as train_command
from src.training.config import TrainConfig
from src.training.run import train
from tests.helpers.tiny_files import write_store

both = pytest.mark.parametrize("name", ["nearest_face", "ma2010"])


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    write_store(folder / "train", 6, seed=1)
    write_store(folder / "val", 3, seed=2)
    return folder


def config(name: str, stores: Path, run: Path, *words: str) -> TrainConfig:
    return compose(
        "train", TrainConfig,
        [f"experiment=baseline/{name}", f"data.train=[{stores}/train]", f"run_dir={run}", *words],
    )  # fmt: skip


@both
def test_the_two_commands_make_it_and_measure_it(
    name: str, stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    monkeypatch.setattr("sys.argv", ["train", f"experiment=baseline/{name}", f"data.train=[{stores}/train]",
                                     f"data.val=[{stores}/val]", f"run_dir={run}", "method.faces=5"])  # fmt: skip
    train_command()
    assert {path.name for path in run.iterdir()} == {"config.yaml", "train.log", "dictionary.safetensors"}
    saved = yaml.safe_load((run / "config.yaml").read_text())
    assert saved["method"]["faces"] == 5
    assert saved["data"]["train"] == [f"{stores}/train"]
    assert "model" not in saved, "only what it depends on"
    assert f"{name}: 5 of 6 training faces" in (run / "train.log").read_text()
    file = f"{run}/dictionary.safetensors"
    monkeypatch.setattr("sys.argv", ["evaluate", f"method=[{file}@known,{file},bicubic]",
                                     f"data.test=[{stores}/train]", f"out={tmp_path}/report"])  # fmt: skip
    evaluate()
    results = json.loads((tmp_path / "report/metrics.json").read_text())
    assert list(results["about"]) == [f"{name}_known", name, "bicubic"]
    assert results["about"][name]["faces"] == 5
    assert results["about"][name]["trained"]
    assert "was made for aligned inputs" in capsys.readouterr().err
    report = (tmp_path / "report/report.md").read_text()
    assert "faces 5" in report


@both
def test_a_training_face_gives_its_own_hr_in_an_evaluation(
    name: str, stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = train(config(name, stores, tmp_path))
    monkeypatch.setattr("sys.argv", ["evaluate", f"method=[{path}]", f"data.test=[{stores}/train]",
                                     "protocol=aligned", f"out={tmp_path}/report"])  # fmt: skip
    evaluate()
    scores = json.loads((tmp_path / "report/metrics.json").read_text())["methods"][name]["psnr_rgb"]
    assert scores["infinite"] == 6 or scores["mean"] > 50


def test_the_same_command_says_that_it_is_there(stores: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = train(config("ma2010", stores, tmp_path))
    before = path.stat()
    caplog.set_level(logging.INFO, "src")
    assert train(config("ma2010", stores, tmp_path)) == path
    assert "the dictionary of 6 faces is there already" in caplog.text
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    ("words", "named"),
    [(["method.faces=4"], "faces, method.faces"), (["seed=2"], "seed"), (["data.degradation=camera"], "degradation"),
     (["experiment=baseline/nearest_face"], "method.name"), (["data.train=[STORES/val]"], "stores")],
)  # fmt: skip
def test_another_dictionary_is_not_overwritten(words: list[str], named: str, stores: Path, tmp_path: Path) -> None:
    path = train(config("ma2010", stores, tmp_path))
    content, saved = path.read_bytes(), (tmp_path / "config.yaml").read_text()
    other = [word.replace("STORES", str(stores)) for word in words]
    name = "nearest_face" if other[0].startswith("experiment") else "ma2010"
    with pytest.raises(UserError, match=f"was made of something else .*{named}.*: choose another run_dir, or delete"):
        train(config(name, stores, tmp_path, *([] if name == "nearest_face" else other)))
    assert path.read_bytes() == content
    assert (tmp_path / "config.yaml").read_text() == saved


def test_half_a_file_is_made_again(stores: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = train(config("ma2010", stores, tmp_path))
    whole = path.read_bytes()
    (tmp_path / ".dictionary.safetensors.partial").write_bytes(whole[:1000])
    path.write_bytes(whole[:-100])
    caplog.set_level(logging.INFO, "src")
    train(config("ma2010", stores, tmp_path))
    assert "made again: " in caplog.text
    assert path.read_bytes() == whole
    assert read_card(path).faces == 6
    assert not (tmp_path / ".dictionary.safetensors.partial").exists()


def test_what_no_dictionary_can_be_made_of(stores: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ma2010 is a dictionary of upright faces: add data=aligned"):
        config("ma2010", stores, tmp_path, "data.misalignment.rotation=10")
    with pytest.raises(UserError, match="has no training to resume"):
        config("ma2010", stores, tmp_path, "resume=x")
    with pytest.raises(UserError, match="faces must be 1 or more"):
        config("nearest_face", stores, tmp_path, "method.faces=0")
    with pytest.raises(UserError, match="regularisation must be above 0"):
        config("ma2010", stores, tmp_path, "method.regularisation=0")
    with pytest.raises(UserError, match="nothing does not exist"):
        train(config("ma2010", stores, tmp_path / "run", f"data.train=[{tmp_path}/nothing]"))
    assert not (tmp_path / "run").exists()
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(UserError, match="holds a training: choose another run_dir"):
        train(config("ma2010", stores, tmp_path))


def test_a_dictionary_of_other_own_sizes_is_another(stores: Path, tmp_path: Path) -> None:
    words = ["experiment=baseline/nearest_face", f"data.train=[{stores}/train]", f"data.val=[{stores}/val]"]
    words.append(f"run_dir={tmp_path}/run")
    plain, own = (compose("train", TrainConfig, [*words, *more]) for more in ([], ["data.own_size=[12,12]"]))
    train(own)
    with pytest.raises(UserError, match="dictionary"):
        train(plain)
