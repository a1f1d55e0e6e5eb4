"""Every command of the README, run as it stands there, in its order and in one folder, on small data.

Only paths and lengths are substituted, and landmarks that only a downloaded network could place.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.celeba_files import celeba_files
from tests.helpers.drawn_faces import face_folder
from tests.helpers.tiny_run import TINY

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

MODEL = [word for word in TINY if word.startswith("model.")]
SHORT = ["trainer.max_epochs=1", "data.batch_size=2", "data.workers=0", "callbacks.progress=none", "callbacks.panel=0",
         "trainer=cpu"]  # fmt: skip
LIGHT = " ".join([*MODEL, *SHORT, "loss.feature.weight=0"])
DRAWN = "source.train=4 source.val=2"
FULL = " ".join([
    "model.generator.encoder_widths=[4,4,4,4]", "model.generator.decoder_widths=[4,4,4,4]",
    "model.generator.upsampler_widths=[4,4]", "model.generator.features=8", "model.generator.heb.width=4",
    "model.discriminator.widths=[4,4,4,4]", "model.discriminator.hidden=8", "loss.feature.backbone=squeezenet1_0",
    "loss.feature.layer=features.7", "loss.feature.weights=random", *SHORT,
])  # fmt: skip


@dataclass(frozen=True)
class Run:
    """How a command is run here.

    Attributes:
        start: of the command in the README.
        append: lengths, at its end.
        replace: paths and landmarks, word for word.
        leaves: files that it must leave.
        codes: exit codes that it may have.
    """

    start: str
    append: str = ""
    replace: dict[str, str] = field(default_factory=dict)
    leaves: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0,)


DEMO = f"data.synthetic.train=4 data.synthetic.val=2 {LIGHT}"
RUNS = (
    Run("make demo", f" ARGS='{DEMO}'", leaves=("outputs/demo/evaluation/grid.png",)),
    Run("make data-synthetic", f" ARGS='{DRAWN}'", leaves=("data/synthetic/train/card.json",)),
    Run("make data-folder", replace={"PICTURES": "pictures"}, leaves=("data/mine/card.json", "data/mine/contact.png")),
    Run(
        "src.prepare source=celeba",
        replace={"source.root=DIR": "source.root=raw", "landmarks=face_alignment": "landmarks=annotations",
                 "workers=8": "workers=1"},
        leaves=("data/celeba/train/card.json",),
    ),
    Run("src.prepare check=true"),
    Run("src.train experiment=celeba16x_light", f" {LIGHT}", leaves=("outputs/mine/checkpoints/best.ckpt",)),
    Run("src.evaluate checkpoint=", leaves=("outputs/mine/evaluation/report.md",)),
    Run("src.evaluate method=", leaves=("outputs/compared/metrics.json",)),
    Run("src.upscale photos", " --boxes boxes.csv", leaves=("upscaled/a_1.png", "upscaled/a_upscaled.png")),
    Run("src.upscale face.jpg", leaves=("upscaled/face.png", "upscaled/one_heatmaps.png")),
    Run("src.train -m", f" {LIGHT} hydra.sweep.dir=outputs/sweeps/here", leaves=("outputs/sweeps/here/sweep.md",)),
    Run("make ablations", f" TRAIN=data/mine VAL=data/other ARGS='{FULL} hydra.sweep.dir=outputs/sweeps/ablations'",
        leaves=("outputs/sweeps/ablations/sweep.md",)),
    Run("make doctor", codes=(0, 1)),
)  # fmt: skip
NOT_RUN = {
    "make test": "this is it",
    "make data-celeba": "downloads CelebA, 1.4 GB; the command below it prepares a small one",
}


def commands() -> list[str]:
    """The lines of the README's blocks that a shell would run, comments left out."""
    joined = README.replace("\\\n", " ")
    lines = re.findall(r"^    ((?:make|\.venv/bin/python) .*)$", joined, re.MULTILINE)
    return [re.sub(r"\s+#.*$", "", line).strip() for line in lines]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a fresh clone, with a few pictures in it."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("src", "conf", "Makefile", "pyproject.toml", "requirements.lock", "weights"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    face_folder(folder / "pictures", ["a.png", "b.png", "c.png"])
    celeba_files(folder / "raw", 40)
    (folder / "faces").mkdir()
    face_folder(folder / "drawn", ["a.png"])
    (folder / "photos").symlink_to(folder / "drawn" / "images")
    (folder / "boxes.csv").write_text("file,x0,y0,x1,y1\na.png,40,40,52,56\n")
    for path in ("face.jpg", "faces/one.png"):
        Image.new("RGB", (40, 40), (200, 150, 120)).save(folder / path)
    return folder


def test_every_command_is_run_or_has_a_reason() -> None:
    found = commands()
    assert len(found) >= len(RUNS)
    for line in found:
        known = [run.start for run in RUNS if run.start in line]
        assert len(known) == 1 or line in NOT_RUN, line
    for run in RUNS:
        assert sum(run.start in line for line in found) == 1, f"{run.start} is no longer in the README"


def prepare_for(run: Run, sandbox: Path) -> None:
    """What the README's reader has by then."""
    if run.start == "src.train experiment=celeba16x_light":
        shutil.copytree(sandbox / "data/mine", sandbox / "data/other")
    if run.start == "src.evaluate method=":
        for name in ("a.ckpt", "b.ckpt"):
            shutil.copy(sandbox / "outputs/mine/checkpoints/last.ckpt", sandbox / name)


def test_the_commands_run_one_after_the_other(sandbox: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    for line in commands():
        if line in NOT_RUN:
            continue
        run = next(run for run in RUNS if run.start in line)
        prepare_for(run, sandbox)
        for old, new in run.replace.items():
            assert old in line
            line = line.replace(old, new)
        # The environment is there; `make` itself would set it up again, as the link to it is new.
        command = f"{line}{run.append}".replace(
            "make ", "make -o .venv/.installed ", 1 if line.startswith("make") else 0
        )
        done = subprocess.run(
            command, shell=True, cwd=sandbox, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in run.codes, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, command
        missing = [path for path in run.leaves if not (sandbox / path).exists()]
        assert missing == [], f"{command}\n{done.stdout}\n{done.stderr}"
