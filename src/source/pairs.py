"""Pairs of pictures and the iBUG `.pts` files beside them, by their names."""

import re
from collections import defaultdict
from pathlib import Path

from src.source.listing import picture_job, relative
from src.source.names import Names, match
from src.source.photograph import Annotation, PhotoJob


def pts_jobs(pictures: list[Path], points: list[Path], root: Path) -> list[PhotoJob]:
    """Jobs that pair `NAME.pts`, or `NAME_1.pts`, `NAME_2.pts` ..., with the picture `NAME.*` in the same folder.

    Unicode form and case of the names may differ where only one picture fits.
    """
    by_stem: dict[Path, list[Path]] = defaultdict(list)
    for path in pictures:
        by_stem[path.with_suffix("")].append(path)
    # A backslash in a file's name is no slash here, so the names of a folder are compared among themselves.
    folders: dict[Path, list[tuple[str, Path]]] = defaultdict(list)
    for stem in by_stem:
        folders[stem.parent].append((stem.name, stem))
    names = {folder: Names(stems) for folder, stems in folders.items()}
    nothing = Names[Path](())
    questions = []
    for path in points:
        inside, numbered = names.get(path.parent, nothing), re.fullmatch(r"(.+)_\d+", path.stem)
        questions.append([(name, inside) for name in (path.stem, *([numbered[1]] if numbered else []))])
    faces: dict[Path, list[Path]] = defaultdict(list)
    jobs = []
    for path, stems, question in zip(points, match(questions), questions, strict=True):
        if len(stems) == 1:
            faces[stems[0]].append(path)
        else:
            alike = stems or next((found for name, inside in question if (found := inside.find(name))), [])
            listed = ", ".join(stem.name for stem in alike)
            problem = f"no picture of this name beside it; ambiguous: it is like {listed}" if alike else ""
            jobs.append(picture_job(path, root, problem=problem or "no picture of this name beside it"))
    for stem, same in by_stem.items():
        if len(same) > 1:
            listed = ", ".join(path.name for path in same)
            problem = f"{len(same)} pictures of one name ({listed}): which one its .pts belongs to is not known"
        else:
            problem = "" if faces[stem] else "no landmarks: no .pts of this name beside it"
        if problem:
            jobs += [picture_job(path, root, problem=problem) for path in same]
            continue
        annotations = tuple(
            Annotation(relative(path, root), relative(path.with_suffix(""), root), path)
            for path in sorted(faces[stem], key=_number)
        )
        jobs.append(picture_job(same[0], root, annotations))
    return jobs


def _number(path: Path) -> tuple[int, str]:
    """The sort key that puts `x_2.pts` before `x_10.pts`."""
    digits = re.search(r"_(\d+)$", path.stem)
    return int(digits[1]) if digits else -1, path.name
