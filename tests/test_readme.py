"""What the README says can be typed, can be typed."""

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.config.overrides import read_overrides
from src.evaluation.config import EvaluateConfig
from src.exporting.config import ExportConfig
from src.photo import PhotoResult
from src.preparation.config import PrepareConfig
from src.training.config import TrainConfig
from src.upscale import parser
from tests.helpers.page_server import drawn_photograph

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SCHEMAS = {"train": TrainConfig, "prepare": PrepareConfig, "evaluate": EvaluateConfig, "export": ExportConfig}


def commands() -> list[tuple[str, list[str]]]:
    joined = README.replace("\\\n", " ")
    found = re.findall(r"python -m src\.(\w+) ([^`\n]*)", joined)
    return [(verb, shlex.split(rest, comments=True)) for verb, rest in found]


def test_there_are_commands_for_every_verb() -> None:
    assert {verb for verb, _ in commands()} == {"prepare", "train", "evaluate", "upscale"}


@pytest.mark.parametrize(("verb", "words"), [c for c in commands() if c[0] in SCHEMAS], ids=str)
def test_every_key_in_a_command_exists(verb: str, words: list[str]) -> None:
    read_overrides(words, SCHEMAS[verb])


def test_the_upscale_command_parses() -> None:
    for words in (words for verb, words in commands() if verb == "upscale"):
        assert parser().parse_args(words).out


def test_no_placeholder_is_left() -> None:
    assert re.findall(r"\b[A-Z]+_TABLE\b", README) == []


def test_every_key_in_the_text_exists() -> None:
    overrides = re.findall(r"`((?:model|loss|data|trainer|optimizer)\.[\w.]+=[^`]*)`", README)
    assert len(overrides) > 5
    read_overrides([shlex.split(text)[0] for text in overrides], TrainConfig)


def test_every_make_target_exists_and_has_a_line_of_help() -> None:
    targets = set(re.findall(r"(?:`|^    )make ([\w-]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= targets
    shown = subprocess.run(["make"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for target in targets:
        assert re.search(rf"^  make {target}\s+\w", shown, re.MULTILINE), target


def test_it_shows_no_table_without_its_protocol() -> None:
    for table in re.findall(r"(?:^.*\n)\n((?:\|.*\n)+)", README, re.MULTILINE):
        if "PSNR" in table:
            before = README[: README.index(table)][-900:]
            assert re.search(r"faces|seed", before), table


def test_its_lines_of_python_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    Image.fromarray(drawn_photograph()).save(tmp_path / "photo.jpg", quality=95)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)
    result, enlarged = names["result"], names["enlarged"]
    assert isinstance(result, PhotoResult)
    assert len(result.faces) == 2
    assert capsys.readouterr().out.count("'chin'") == 2
    assert isinstance(enlarged, np.ndarray)
    assert enlarged.shape[0] > 3 * result.photograph.shape[0]
