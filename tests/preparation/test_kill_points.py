"""kill -9 before every rename, removal and sync of a run: the same command always ends with the same bytes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.celeba_files import celeba_files

ROOT = Path(__file__).parents[2]

# One process for all kill points, which forks a child for each: imports cost more than the runs. The contact sheet is
# left out of it, as it brings torch, whose threads don't survive a fork.
CAMPAIGN = """
import json, os, shutil, sys, types
from pathlib import Path
root, source, work, overwrite = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4] == "overwrite"
sys.path.insert(0, root)
from PIL import Image
sheet = types.SimpleNamespace(draw_contact_sheet=lambda folder: Image.new("RGB", (8, 8)))
sys.modules["src.preparation.contact_sheet"] = sheet
calls, deadly = 0, 0
def watched(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == deadly:
            os.kill(os.getpid(), 9)
        return function(*arguments, **options)
    return call
for name in ("rename", "replace", "unlink", "rmdir", "fsync"):
    setattr(os, name, watched(getattr(os, name)))
from src.preparation.run import run_preparation
from src.preparation.config import PrepareConfig
from src.source.config import CelebaSource
from src.landmarks.config import AnnotationsConfig

def run(out, kill_at=0, **settings):
    global calls, deadly
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    calls, deadly = 0, kill_at
    try:
        run_preparation(PrepareConfig(CelebaSource("celeba", source), str(out), AnnotationsConfig("annotations"),
                                      **settings), lambda line: None)
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(1)
    os._exit(0)

def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}

assert run(work / "straight" / "out") == 0
straight = contents(work / "straight")
if overwrite:
    assert run(work / "old" / "out", visibility="annotated") == 0
point, wrong = 0, []
while True:
    point += 1
    folder = work / "killed"
    shutil.rmtree(folder, ignore_errors=True)
    if overwrite:
        shutil.copytree(work / "old", folder)
    if run(folder / "out", point, overwrite=overwrite) != 9:
        break
    if run(folder / "out", overwrite=overwrite) or contents(folder) != straight:
        wrong.append([point, sorted(set(contents(folder)) ^ set(straight))])
print(json.dumps({"points": point - 1, "wrong": wrong}))
"""


@pytest.mark.parametrize("kind", ["fresh", "overwrite"])
def test_a_kill_at_any_moment_is_gone_on_from(tmp_path: Path, kind: str) -> None:
    source = celeba_files(tmp_path / "files", 40)
    (source / "img_align_celeba" / "000003.jpg").write_bytes(b"no picture")
    command = [sys.executable, "-c", CAMPAIGN, str(ROOT), str(source), str(tmp_path), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["points"] > 30
    assert found["wrong"] == [], done.stderr
