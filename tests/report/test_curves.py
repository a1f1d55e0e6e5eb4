from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.report.curves import draw_curves, grouped
from src.report.read_curves import read_curves, thinned


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_curves_are_read_over_iterations_without_their_holes(tmp_path: Path) -> None:
    curves = read_curves(
        write(tmp_path / "m.csv", "iterations,step,epoch,loss/total,val/psnr_rgb,gan/x",
              "20,19,0,2.5,,", "20,19,0,,18.25,", "40,39,1,nan,,", "60,5")
    )  # fmt: skip
    assert set(curves) == {"loss/total", "val/psnr_rgb"}
    assert curves["loss/total"][0].tolist() == [20, 40]
    assert curves["loss/total"][1][0] == 2.5
    assert [axis.tolist() for axis in curves["val/psnr_rgb"]] == [[20], [18.25]]


def test_long_curves_are_thinned_by_means() -> None:
    xs = np.arange(1.0, 1001.0)
    x, y = thinned((xs, 3 * xs), 300)
    assert len(x) == len(y) == 300
    np.testing.assert_allclose(y, 3 * x)
    assert x[0] < 5
    assert x[-1] > 996
    # Stretches of 3 and 4 points: weighted by their lengths the mean stays.
    assert np.average(y) == pytest.approx(3 * xs.mean(), rel=0.01)
    same = (xs[:5], xs[:5])
    assert thinned(same, 5) is same


def test_each_metric_is_in_one_plot() -> None:
    curve = (np.array([1.0]), np.array([1.0]))
    names = ["val/psnr_y", "val_ema/psnr_y", "val/angle_error_deg", "gan/accuracy_real", "gan/loss_discriminator",
             "optim/lr_generator", "optim/grad_norm_generator", "loss/total", "perf/step_ms",
             "perf/memory_gib", "guard/skipped"]  # fmt: skip
    plots = {group.title: list(curves) for group, curves in grouped(dict.fromkeys(names, curve)).items()}
    assert plots == {
        "losses": ["loss/total"],
        "D's accuracy": ["gan/accuracy_real"],
        "D's loss": ["gan/loss_discriminator"],
        "learning rates": ["optim/lr_generator"],
        "gradient norms": ["optim/grad_norm_generator"],
        "guard": ["guard/skipped"],
        "validation PSNR, dB": ["val/psnr_y", "val_ema/psnr_y"],
        "validation, others": ["val/angle_error_deg"],
        "peak memory, GiB": ["perf/memory_gib"],
    }


def test_the_picture_has_a_plot_a_group_and_shows_the_curve(tmp_path: Path) -> None:
    header = "iterations,step,epoch,loss/total,val/psnr_rgb,optim/lr_generator,perf/data_wait,guard/skipped"
    lines = [f"{n},{n - 1},0,{5 / n},{n},0.001,0.1,0" for n in range(1, 30)]
    draw_curves(write(tmp_path / "m.csv", header, *lines), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1800, 600), "five plots: four and one"
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    blue = (np.abs(pixels - [31, 119, 180]) < 40).all(2)
    assert blue[:300, :450].sum() > 200, "a curve in the first plot"
    assert (pixels[330:, 500:] == 255).all(), "nothing beside the fifth"
    assert not (tmp_path / "curves.tmp").exists()


def test_without_a_number_there_is_no_picture(tmp_path: Path) -> None:
    draw_curves(tmp_path / "none.csv", tmp_path / "curves.png")
    draw_curves(write(tmp_path / "m.csv", "iterations,step,epoch"), tmp_path / "curves.png")
    draw_curves(write(tmp_path / "e.csv"), tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
