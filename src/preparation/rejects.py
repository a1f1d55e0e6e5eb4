"""Rejected files and faces: when they end a run, where they are listed, and the summary; remarks on pictures."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from src.image.suffixes import NOT_READ
from src.preparation.config import PrepareConfig
from src.preparation.copies import Survey
from src.preparation.finished_parts import Parts
from src.preparation.plan import Plan
from src.source.photograph import Remark
from src.store.card import CARD, REJECTED
from src.store.manifest import read_rejected, write_rejected
from src.store.read import SPLITS
from src.system.errors import BadFace, UserError
from src.system.files import replacing
from src.system.progress import Say


def check_rejects(
    config: PrepareConfig, out: Path, works: Sequence[tuple[Plan, Parts]], surveys: dict[str, Survey]
) -> None:
    """UserError, before any store appears, if a split has no face, or anything was rejected and `strict` is set.

    Rejects are then listed in a file, and the next run does their parts again.
    """
    faces = {name: found.faces for name, found in surveys.items()}
    rejected = [(name, bad) for name, found in surveys.items() for bad in found.rejected]
    empty = [name for name, count in faces.items() if not count]
    if not empty and not (config.strict and rejected):
        return
    for plan, parts in works:
        parts.forget(surveys[plan.split.name].faulty)
    out.mkdir(parents=True, exist_ok=True)
    # With overwrite=true an old store keeps its list, and this list goes beside the store's folder.
    path = out / REJECTED if not (out / CARD).exists() else out.with_name(f"{out.name}.{REJECTED}")
    write_rejected(path, rejected)
    first = f"first {rejected[0][1]}" if rejected else "the source is empty"
    if empty:
        where = f" in {empty[0]}" if empty[0] else ""
        raise UserError(f"no usable face{where}: all {len(rejected):,} were rejected ({first}); see {path}")
    raise UserError(
        f"strict=true, and {len(rejected):,} of {sum(faces.values()) + len(rejected):,} were rejected ({first}); "
        f"see {path}, and fix or remove them, or leave strict=true out; no store was written"
    )


def list_rejects(out: Path, plans: Sequence[Plan]) -> list[tuple[str, BadFace]]:
    """The rejects of the planned stores; with splits, also write one list of all stores' rejects to `out`."""
    if not any(plan.split.name for plan in plans):
        return read_rejected(out / REJECTED)
    splits = [name for name in SPLITS if (out / name / CARD).exists()]
    rejected = [entry for name in splits for entry in read_rejected(out / name / REJECTED)]
    # One hidden name, so that the next run takes up what a kill leaves; another shard's run may rename it first.
    with suppress(FileNotFoundError), replacing(out / REJECTED) as (hidden,):
        write_rejected(hidden, rejected)
    made = {plan.split.name for plan in plans}
    return [(split, bad) for split, bad in rejected if split in made]


def say_rejects(rejected: list[tuple[str, BadFace]], path: Path, say: Say) -> None:
    """Show where the list is, every kind of file that is not read, and the eight most common other reasons."""
    if not rejected:
        return
    say(f"rejected: {len(rejected):,}, listed in {path}")
    reasons = Counter(bad.reason.split(":")[0] for _, bad in rejected)
    first = {bad.reason.split(":")[0]: bad.file for _, bad in reversed(rejected)}
    kinds = {reason: count for reason, count in reasons.items() if reason.startswith(NOT_READ)}
    for reason, count in (reasons - Counter(kinds)).most_common(8):
        say(f"  {count:,} x {reason} (first: {first[reason]})")
    for reason, count in kinds.items():
        say(f"  {count:,} {'file' if count == 1 else 'files'} of {reason} (first: {first[reason]})")


def say_remarks(remarks: Sequence[Remark], say: Say) -> None:
    """Show each kind of remark once, with how many pictures it is about and the first of them."""
    kinds = Counter(remark.text.split(":")[0] for remark in remarks)
    for kind, count in kinds.most_common():
        first = next(remark for remark in remarks if remark.text.startswith(kind))
        say(f"warning: {kind} in {count:,} picture{'s' * (count > 1)} (first {first.file}{first.text[len(kind) :]})")
