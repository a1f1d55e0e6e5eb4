"""Turning a source into stores."""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from src.data.card import ARRAYS, BYTES_A_FACE, CARD, MANIFEST, Settings
from src.data.contact import draw_contact_sheet
from src.data.crops import CROP_RULE
from src.data.face import SIDE, BadFace, Face
from src.data.manifest import read_rejected, write_rejected
from src.data.prepare_config import PrepareConfig
from src.data.resolving import resolved
from src.data.sources import Split, list_splits
from src.data.store import SPLITS, FaceStore
from src.data.store_writer import StoreWriter, disk_errors, full_disk, recover
from src.errors import UserError
from src.progress import FaceProgress

REJECTED, CONTACT = "rejected.csv", "contact.png"


@dataclass(frozen=True)
class _Plan:
    split: Split
    final: Path
    settings: Settings
    done: bool

    @property
    def needed(self) -> int:
        """Bytes of the store, about."""
        return BYTES_A_FACE * sum(job.faces for job in self.split.jobs)


def run_preparation(config: PrepareConfig, say: Callable[[str], None]) -> None:
    """Write the stores of a source; those that are there already, made with the same settings, are left alone.

    Args:
        config: what to make, and where.
        say: shows a line to the person.

    Raises:
        UserError: the source is not usable, `out` holds something else or a store of other settings, the disk is
            full, no face was usable, or `strict` and something was rejected. No half store is left.
    """
    out = Path(config.out)
    if out.resolve() == Path.cwd().resolve():
        raise UserError(f"out={config.out} is the current folder, which cannot be renamed into: name a new folder")
    plans = [_plan(config, split) for split in list_splits(config.source)]
    todo = [plan for plan in plans if not plan.done]
    needed = sum(plan.needed for plan in todo)
    _check_space(out, needed)
    for plan in todo:
        _make(config, plan)
    rejected = [entry for plan in plans for entry in read_rejected(plan.final / REJECTED)]
    if todo and (len(plans) > 1 or plans[0].split.name):
        with disk_errors(out, needed):
            write_rejected(out / REJECTED, rejected)
    for plan in plans:
        store = FaceStore(plan.final)
        was = "nothing to do, it was there already" if plan.done else f"look at {plan.final / CONTACT}"
        say(f"{plan.final}: {len(store):,} faces, {store.card.rejected:,} rejected; {was}")
    _say_rejected(rejected, out / REJECTED, say)
    if config.strict and rejected:
        raise UserError(f"strict=true, and {len(rejected):,} were rejected: see {out / REJECTED}")


def _plan(config: PrepareConfig, split: Split) -> _Plan:
    """What is to be done for a split, decided before anything is written."""
    out = Path(config.out)
    final = out / split.name
    settings: Settings = {**split.settings, "crop": CROP_RULE["name"], "side": SIDE}
    recover(final)
    if split.name and (out / CARD).exists():
        raise UserError(f"{out} is itself a store, and the source has splits: choose another out=")
    if not (final / CARD).exists():
        _check_free(final, config.overwrite)
        return _Plan(split, final, settings, done=False)
    if config.overwrite:
        return _Plan(split, final, settings, done=False)
    made_with = FaceStore(final).card.settings
    for key in sorted(settings.keys() | made_with.keys()):
        old, new = made_with.get(key), settings.get(key)
        if old != new:
            raise UserError(
                f"{final} was prepared with {key}={old}, not {new}: "
                f"add overwrite=true to replace it, or choose another out="
            )
    return _Plan(split, final, settings, done=True)


def _check_free(final: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything but what an earlier `prepare` left."""
    ours = {REJECTED, CONTACT, MANIFEST, *ARRAYS} if overwrite else {REJECTED}
    if final.exists() and not final.is_dir():
        raise UserError(f"out={final} is a file: choose a folder that is new or empty")
    others = [path.name for path in final.iterdir() if path.name not in ours] if final.exists() else []
    splits = [name for name in SPLITS if (final / name / CARD).exists()]
    if others:
        what = f"stores ({', '.join(splits)})" if splits else f"other files ({', '.join(sorted(others)[:3])})"
        raise UserError(f"out={final} holds {what} and is no store itself: choose a folder that is new or empty")


def _check_space(out: Path, needed: int) -> None:
    place = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    if shutil.disk_usage(place).free < needed:
        raise UserError(full_disk(out, needed, "the disk is too small"))


def _make(config: PrepareConfig, plan: _Plan) -> None:
    split, rejected = plan.split, list[tuple[str, BadFace]]()
    expected = sum(max(1, job.faces) for job in split.jobs)
    with disk_errors(plan.final, plan.needed), StoreWriter(plan.final, config.overwrite) as writer:
        with FaceProgress(str(plan.final), expected) as progress:
            for outcomes in resolved(split.jobs, config.workers):
                for outcome in outcomes:
                    if isinstance(outcome, Face):
                        writer.add(outcome, split.name)
                    else:
                        rejected.append((split.name, outcome))
                bad = sum(isinstance(outcome, BadFace) for outcome in outcomes)
                progress.advance(len(outcomes) - bad, bad)
        if not writer.faces or (config.strict and rejected):
            raise _refused(config, writer.faces, rejected)
        writer.seal(split.name, plan.settings, split.description, len(rejected))
        write_rejected(writer.folder / REJECTED, rejected)
        draw_contact_sheet(writer.folder).save(writer.folder / CONTACT)
        (plan.final / REJECTED).unlink(missing_ok=True)  # of an earlier run that made no store
        writer.publish()


def _refused(config: PrepareConfig, faces: int, rejected: list[tuple[str, BadFace]]) -> UserError:
    """Write the reject list of a store that is not made, and say why it is not."""
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    # Beside an old store that stays (overwrite=true), its own list stays too.
    path = out / REJECTED if not (out / CARD).exists() else out.with_name(f"{out.name}.{REJECTED}")
    write_rejected(path, rejected)
    first = f"first {rejected[0][1]}" if rejected else "the source is empty"
    if not faces:
        return UserError(f"no usable face: all {len(rejected):,} were rejected ({first}); see {path}")
    return UserError(
        f"strict=true, and {len(rejected):,} of {faces + len(rejected):,} were rejected ({first}); "
        f"see {path}, and mend or remove them, or leave strict=true out; no store was written"
    )


def _say_rejected(rejected: list[tuple[str, BadFace]], path: Path, say: Callable[[str], None]) -> None:
    """The reasons, commonest first, and where the list is."""
    if not rejected:
        return
    say(f"rejected: {len(rejected):,}, listed in {path}")
    reasons = Counter(bad.reason.split(":")[0] for _, bad in rejected)
    for reason, count in reasons.most_common(8):
        example = next(bad.file for _, bad in rejected if bad.reason.split(":")[0] == reason)
        say(f"  {count:,} x {reason} (first: {example})")
