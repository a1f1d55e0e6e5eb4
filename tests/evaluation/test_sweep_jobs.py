import json
import sys
from pathlib import Path

import pytest
import torch

from src.evaluate import main
from src.evaluation.sweep_jobs import sweep_jobs
from src.sweep.table import JobRecord, write_record
from src.system.errors import UserError
from tests.helpers.tiny_files import TINY, checkpoint_content


def job(sweep: Path, number: int, experiment: str, seed: int, store: str, unlike: float = 0.0) -> Path:
    """A finished job whose generator has its last bias moved by `unlike`."""
    folder = sweep / str(number)
    (folder / "checkpoints").mkdir(parents=True)
    write_record(folder, JobRecord(number, (f"experiment={experiment}", f"seed={seed}"), "done", None, ""))
    content = checkpoint_content(TINY)
    content["hyper_parameters"] |= {"seed": seed, "name": experiment.rsplit("/")[-1]}
    content["hyper_parameters"]["data"]["val"] = [store]
    last = [name for name in content["state_dict"] if name.startswith("generator.") and name.endswith("bias")][-1]
    content["state_dict"][last] += unlike
    torch.save(content, folder / "checkpoints" / "last.ckpt")
    return folder


@pytest.fixture
def sweep(tmp_path: Path, face_store: Path) -> Path:
    folder = tmp_path / "ablation"
    for seed in (1, 2):
        job(folder, seed, "ablation/heb_64", seed, str(face_store))
        job(folder, 10 + seed, "ablation/no_skip", seed, str(face_store), 0.3 * seed)
    return folder


def test_a_sweep_is_evaluated_by_one_command(
    sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (job(sweep, 20, "ablation/no_stn", 1, "x") / "checkpoints" / "last.ckpt").unlink()
    monkeypatch.setattr(sys, "argv", ["evaluate", f"run={sweep}", "device=cpu"])
    main()
    values = json.loads((sweep / "evaluation" / "metrics.json").read_text())
    assert list(values["methods"]) == ["heb_64_1", "heb_64_2", "no_skip_1", "no_skip_2"]
    assert values["about"]["no_skip_2"]["title"] == "ablation/no_skip, seed 2"
    ablation = values["ablation"]
    assert ablation["reference"] == "ablation/heb_64"
    (faces,) = (one for one in ablation["over_faces"] if one["metric"] == "psnr_rgb")
    (seeds,) = (one for one in ablation["over_seeds"] if one["metric"] == "psnr_rgb")
    mean = {name: one["psnr_rgb"]["mean"] for name, one in values["methods"].items()}
    wanted = (mean["no_skip_1"] + mean["no_skip_2"] - mean["heb_64_1"] - mean["heb_64_2"]) / 2
    assert (faces["mean"], seeds["mean"]) == (pytest.approx(wanted), pytest.approx(wanted))
    assert (faces["faces"], seeds["seeds"]) == (5, 2)
    assert values["left_out"] == ["job 20 (experiment=ablation/no_stn seed=1): no checkpoints/last.ckpt"]
    text = (sweep / "evaluation" / "report.md").read_text()
    assert "## Ablation: differences to ablation/heb_64" in text
    assert "| ablation/no_skip | 1, 2 |" in text
    assert "differences to ablation/heb_64" in capsys.readouterr().out


def test_the_full_model_is_named_or_known(sweep: Path, face_store: Path) -> None:
    assert sweep_jobs(sweep, "no_skip").reference == "ablation/no_skip"
    assert sweep_jobs(sweep).stores == (str(face_store),)
    job(sweep, 30, "celeba16x", 1, "elsewhere")
    found = sweep_jobs(sweep)
    assert (found.reference, found.stores) == ("celeba16x", ())
    assert found.experiments["celeba16x"] == {1: "celeba16x_1"}
    with pytest.raises(UserError, match="no job is 'demo'; name one with reference=, of ablation/heb_64"):
        sweep_jobs(sweep, "demo")


def test_what_is_no_finished_sweep_is_said_in_a_line(tmp_path: Path, sweep: Path) -> None:
    with pytest.raises(UserError, match="is no folder: give the folder of a sweep"):
        sweep_jobs(tmp_path / "none")
    with pytest.raises(UserError, match="holds no job of a sweep"):
        sweep_jobs(tmp_path / "ablation" / "1" / "checkpoints")
    job(sweep, 40, "ablation/no_skip", 2, "x")
    with pytest.raises(UserError, match="several jobs are 'ablation/no_skip' with seed 2"):
        sweep_jobs(sweep)
    for path in sweep.glob("*/checkpoints/last.ckpt"):
        path.unlink()
    with pytest.raises(UserError, match=r"no job has a checkpoints/last.ckpt yet"):
        sweep_jobs(sweep)
    empty = tmp_path / "others"
    job(empty, 1, "ablation/no_skip", 1, "x")
    with pytest.raises(UserError, match="no job is the full model"):
        sweep_jobs(empty)
