import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.check import options, required, uncommented_keys
from src.config.compose import compose
from src.config.overrides import read_overrides
from src.model.discriminator import DiscriminatorConfig
from src.system.errors import UserError
from src.training.config import TrainConfig

ROOT = Path(__file__).parents[2]
STORES = ["data.train=[a]", "data.val=[a]"]


@pytest.mark.parametrize("experiment", options("experiment"))
def test_every_experiment_composes_and_builds(experiment: str) -> None:
    config = compose("train", TrainConfig, [f"experiment={experiment}", *STORES])
    config.model.generator.build()
    assert (config.build_discriminator() is None) == (config.loss.adversarial.weight == 0)


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("data.bach_size=4", "data.batch_size"),
        ("+data.bach_size=4", "data.batch_size"),
        ("++optimizer.shedule.cooldown=0.1", "optimizer.schedule.cooldown"),
        ("trainer.max_epoch=3", "trainer.max_epochs"),
        ("max_epochs=3", "trainer.max_epochs"),
        ("~loss.alignement", "loss.alignment"),
        ("model.generator.heb.stack=2", "model.generator.heb.stacks"),
    ],
)
def test_a_mistyped_key_names_the_nearest(override: str, meant: str) -> None:
    with pytest.raises(UserError, match=f"did you mean '{meant}'"):
        read_overrides([override], TrainConfig)


@pytest.mark.parametrize(
    "fine", ["experiment=demo", "hydra.verbose=true", "seed=3", "--cfg", "job", "hydra/launcher=basic"]
)
def test_groups_flags_and_hydras_own_keys_pass(fine: str) -> None:
    read_overrides([fine], TrainConfig)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["trainer.max_epochs=many"], "trainer.max_epochs: .*integer"),
        (["trainer.max_time=30m"], "trainer: max_time must be DD:HH:MM:SS"),
        (["data.batch_size=1"], "data: batch_size must be at least 2"),
        (["optimizer.name=sgd"], "optimizer: no choice is called 'sgd'; there are 'rmsprop', 'adam'$"),
        (["model.generator.heb.resolution=48"], "resolution must be 16, 32, 64 or 128"),
        (["data.heatmaps.maps=7"], "data.heatmaps.maps: "),
        (["model.generator.heatmaps=68"], "set only data.heatmaps.maps"),
        (["model.generator.heb.gradient=2"], "gradient must be a share, 0-1, not 2"),
        (["model=light", "model.generator.guidance=film"], "model.generator.guidance: .*'concat' or 'modulate'"),
        (
            ["loss.coordinates=1", "model.generator.heb.enabled=false"],
            "loss.coordinates=1 needs heatmaps, and this MTUN",
        ),
        (
            ["loss.alignment=1", "model.generator.localisation=none"],
            "loss.alignment=1 needs an STN, and this MTUN has none: ",
        ),
    ],
)
def test_a_wrong_value_names_its_key(overrides: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        compose("train", TrainConfig, [*STORES, *overrides])


def test_a_yaml_file_with_an_unknown_key_is_refused() -> None:
    from src.config.command import validated

    config = OmegaConf.create({"name": "x", "sede": 1})
    with pytest.raises(UserError, match="unknown key 'sede': did you mean 'seed'"):
        validated(config, TrainConfig)


def test_a_single_store_may_go_without_brackets() -> None:
    assert compose("train", TrainConfig, ["data.train=a/b", "data.val=[c]"]).data.train == ("a/b",)


def test_a_missing_value_says_what_to_add() -> None:
    with pytest.raises(UserError, match=r"'data.train' has no value: add data.train=\.\.\."):
        compose("train", TrainConfig)


def test_the_yaml_defaults_are_the_constructors() -> None:
    """Those of the generators: tests/model/test_promises.py."""
    assert compose("train", TrainConfig, STORES).model.discriminator == DiscriminatorConfig()


def test_every_key_has_a_comment() -> None:
    assert uncommented_keys() == []


def test_the_check_gives_a_value_to_what_a_file_leaves_open() -> None:
    assert required("source", "folder") == ["source.root=x"]
    assert required("source", "synthetic") == []
    assert required("data", "faces") == ["data.train=x", "data.val=x"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("experiment=demoo", "there is no experiment/demoo; there are celeba16x, "),
        ("model.generator.skip=false", "'model.generator.skip' belongs to another choice of model.generator"),
        ("+optimizer.alpha=0.9", "'optimizer.alpha' belongs to another choice of optimizer"),
    ],
)
def test_hydras_own_errors_end_in_one_line_too(override: str, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "src.train", *([] if "experiment" in override else ["experiment=demo"]), override],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr


def test_the_command_line_ends_in_one_line_and_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "src.train", "experiment=demo", "data.trian=x"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        "error: unknown key 'data.trian': did you mean 'data.train'? (`--cfg job` prints all keys)"
    ]
