"""A folder of files with any names and contents: every picture gives a result or one line, and stays as it was."""

import contextlib
import io
import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from src.image.suffixes import SUFFIXES
from src.photo.run import Request, upscale
from src.system.companions import is_companion
from src.system.files import utf8
from tests.helpers.fuzzing import changed_bytes, result_or_line
from tests.helpers.picture_samples import picture_samples

STEMS = st.one_of(
    st.sampled_from(["a", "A", "a_heatmaps", "._a", " ", "a\nb", "caf\udce9", "é", "e\u0301", "-x", "a%s", "'", '"']),
    st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=8),
)
ENDINGS = st.sampled_from([".png", ".jpg", ".PNG", ".tif", ".pts", ".psd", "", "."])
NAMES = st.builds(str.__add__, STEMS, ENDINGS).filter(lambda name: name not in (".", ".."))
CONTENTS = st.one_of(st.sampled_from(picture_samples()), changed_bytes(picture_samples()), st.just(b""))


@given(st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=4), st.booleans())
def test_a_folder_of_anything(checkpoint_file: Path, files: dict[str, bytes], in_place: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, made = Path(folder, "in"), {}
        root.mkdir()
        for name, data in files.items():
            path = root / os.fsdecode(os.fsencode(name) if _encodes(name) else utf8(name))
            path.write_bytes(data)
            made[path] = data
        out = root if in_place else Path(folder, "out")
        told, shown = io.StringIO(), io.StringIO()
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(shown):
            code = result_or_line(lambda: upscale(Request([root], checkpoint_file, out, device="cpu", heatmaps=False)))
        assert {path: path.read_bytes() for path in made} == made
        lines, results = told.getvalue().splitlines(), shown.getvalue().splitlines()
        pictures = [path for path in made if path.suffix.lower() in SUFFIXES and not is_companion(path.name)]
        failed = [line for line in lines if line.startswith("error: ")]
        assert len(results) + len(failed) == max(1, len(pictures))
        assert code == (1 if failed else 0)
        assert len(list(out.glob("*"))) == len(results) + (len(made) if in_place else 0)


def _encodes(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
