import json
import subprocess
import sys
from pathlib import Path

import pytest

from src import doctor
from src.system import installed
from src.system.installed import Finding
from tests.helpers.tiny_files import write_store

ROOT = Path(__file__).parents[1]
VGG = "vgg19-dcbb9e9d.pth"


def levels(findings: object) -> list[str]:
    return [finding.level for finding in findings]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("release", "bad"), [("2.6.1", 0), ("2.6.2", 1), ("2.6.3", 1), ("2.6.4", 0), (None, 0)])
def test_the_hijacked_releases_are_flagged(release: str | None, bad: int) -> None:
    assert levels(installed.lightning_release(release)) == ["error"] * bad


@pytest.mark.parametrize(
    ("torch", "torchvision", "wanted", "words"),
    [
        ("2.15.0+cpu", "0.29.2+cpu", "2.15.0", "belong together"),
        ("2.15.0", "0.29.2", None, "belong together"),
        ("2.15.0", "0.29.2", "2.15.0+cpu", "belong together"),
        ("2.15.0+cpu", "0.29.2", "2.15.0", "different registries"),
        ("2.14.0", "0.29.2", "2.15.0", "built for 2.15.0"),
    ],
)
def test_torch_and_torchvision_are_a_pair(torch: str, torchvision: str, wanted: str | None, words: str) -> None:
    (finding,) = installed.torch_pair(torch, torchvision, wanted)
    assert words in finding.text
    assert finding.level == ("ok" if words == "belong together" else "error")
    assert bool(finding.fix) == (finding.level == "error")


def test_packages_are_those_of_pyproject_and_a_missing_one_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["torch>=2", "lightning[extra]; os_name==\'x\'"]\n'
        'optional-dependencies = {log = ["wandb", "matplotlib >= 3"], sweep = ["optuna<3"]}\n'
    )
    asked = installed.requirements(tmp_path / "pyproject.toml")
    assert asked == {"": ["torch", "lightning"], "log": ["wandb", "matplotlib"], "sweep": ["optuna"]}
    monkeypatch.setattr(installed, "requirements", lambda: asked)
    monkeypatch.setattr(installed, "version", {"torch": "2.9", "matplotlib": "3.1", "optuna": "2.10"}.get)
    assert [*installed.packages()] == [
        Finding("ok", "core: torch 2.9"),
        Finding("error", "core: lightning missing", "make setup"),
        Finding("ok", "extra log: matplotlib 3.1"),
        Finding("note", "extra log: wandb missing: no logger=wandb", "make setup EXTRAS=log"),
        Finding("ok", "extra sweep: optuna 2.10"),
    ]


def test_opencv_wheels_of_two_versions_are_an_error() -> None:
    assert levels(installed.opencv({})) == ["error"]
    assert levels(installed.opencv({"opencv-python-headless": "5.0"})) == ["ok"]
    assert levels(installed.opencv({"opencv-python": "5.0", "opencv-python-headless": "5.0"})) == ["note"]
    assert levels(installed.opencv({"opencv-python": "4.9", "opencv-python-headless": "5.0"})) == ["error"]


def test_an_optuna_that_the_sweeper_does_not_know_is_noted() -> None:
    assert [levels(installed.optuna_release(release)) for release in (None, "2.10.1", "4.1.0")] == [[], [], ["note"]]


def test_weights_are_found_in_the_cache_or_said_how_to_get(tmp_path: Path) -> None:
    (tmp_path / VGG).touch()
    (tmp_path / "2DFAN4-11f355bf06.pth.tar").touch()
    vgg, squeezenet, landmarks, faces = doctor.weights(tmp_path)
    assert [finding.level for finding in (vgg, squeezenet, landmarks, faces)] == ["ok", "note", "ok", "note"]
    assert str(tmp_path / VGG) in vgg.text
    assert "loss.feature.weights=FILE" in squeezenet.fix


def test_the_weights_are_those_that_torchvision_and_the_landmarks_download() -> None:
    from torchvision.models import SqueezeNet1_0_Weights, VGG19_Weights

    urls = [VGG19_Weights.DEFAULT.url, SqueezeNet1_0_Weights.DEFAULT.url]
    assert [url.rsplit("/", 1)[-1] for url in urls] == list(doctor.WEIGHTS)[:2]


def test_stores_are_counted_and_checked(tmp_path: Path) -> None:
    assert levels(doctor.stores(tmp_path)) == ["note"]
    write_store(tmp_path / "a" / "train", 3)
    old = write_store(tmp_path / "b", 2)
    card = json.loads((old / "card.json").read_text())
    (old / "card.json").write_text(json.dumps({**card, "layout": 1}))
    whole, other = doctor.stores(tmp_path)
    assert whole == Finding("ok", f"store {tmp_path / 'a' / 'train'}: 3 faces")
    assert other.level == "note"
    assert "store layout 1, this version reads" in other.text


@pytest.mark.parametrize(("free", "level"), [(100.0, "ok"), (10.0, "note"), (1.0, "error")])
def test_a_full_disk_is_an_error(free: float, level: str) -> None:
    assert levels(doctor.disk(free)) == [level]


def test_every_finding_is_one_line_and_a_broken_check_is_one_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[Finding]:
        raise ImportError("libcudart.so.13: cannot open\nshared object")

    def without_an_extra() -> list[Finding]:
        raise ModuleNotFoundError("No module named 'numba'", name="numba")

    checks = (lambda: doctor.disk(100.0), broken, without_an_extra, lambda: doctor.disk(1.0))
    monkeypatch.setattr(doctor, "CHECKS", checks)
    with pytest.raises(SystemExit) as end:
        doctor.main()
    assert end.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "error", "note", "error", "2"]
    assert "ImportError: libcudart.so.13: cannot open;" in lines[1]
    assert lines[2].endswith("it belongs to the extra `prepare`; make setup EXTRAS=prepare")


def test_this_machine_is_well_and_no_heavy_import_comes_first() -> None:
    done = subprocess.run([sys.executable, "-m", "src.doctor"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "nothing essential is missing"
    for words in ("python 3.", "torch 2.", "lightning 2.", "torchvision.ops.nms works", "CPU: ", "weights of VGG-19",
                  "W&B: ", "GiB free"):  # fmt: skip
        assert any(words in line for line in lines), words
    program = "import src.doctor, sys; print(*{'torch', 'numpy', 'lightning'} & {*sys.modules})"
    light = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert light.stdout.split() == []
