"""Turning a source into stores, in parts that a stopped run goes on from."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from src.image.sides import SIDE
from src.landmarks.config import AnnotationsConfig
from src.preparation.config import PrepareConfig
from src.preparation.faces import Recipe
from src.preparation.finished_parts import DamagedPart, Parts, discard, tidy
from src.preparation.workers import resolved
from src.source.list_splits import list_splits
from src.source.split import Split
from src.store.card import ARRAYS, BYTES_A_FACE, CARD, MANIFEST, Settings, StoreError
from src.store.face import Face
from src.store.manifest import read_rejected, write_rejected
from src.store.read import SPLITS, FaceStore
from src.store.write import StoreWriter, disk_errors, full_disk
from src.system.errors import BadFace, UserError
from src.system.files import replacing
from src.system.progress import FaceProgress

REJECTED, CONTACT = "rejected.csv", "contact.png"

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Plan:
    split: Split
    final: Path
    settings: Settings
    recipe: Recipe
    done: bool

    def parts(self, config: PrepareConfig) -> Parts:
        """Where its work lands."""
        shard = None if config.shard is None else (config.shard, config.shards)
        return Parts(self.final, self.settings, len(self.split.jobs), shard, config.overwrite)

    def needed(self, config: PrepareConfig) -> int:
        """Bytes, about: of the store, and of the parts that it is put together from and that are still missing."""
        parts = self.parts(config)
        left = 1 - parts.landed() / parts.count if parts.count else 0.0
        return round((1 + left) * BYTES_A_FACE * sum(job.faces for job in self.split.jobs))


def run_preparation(config: PrepareConfig, say: Say) -> None:
    """Write the stores of a source; those that are there already, made with the same settings, are left alone.

    Args:
        config: what to make, and where; with `shard`, a share of the work, and the stores where it was the last one.
        say: shows a line to the person.

    Raises:
        UserError: the source or the landmark network is not usable, `out` holds something else or a store of other
            settings, another process writes there, the disk is full, no face was usable, or `strict` and something
            was rejected. No half store is left, and what is finished of it is gone on from by the same command.
    """
    out = _place(config)
    splits = list_splits(config.source, config.landmarks.name)
    recipe = _recipe(config, splits)
    for split in splits:
        tidy(out / split.name, wait=config.shard is not None)
    plans = [_plan(config, out, split, recipe) for split in splits]
    for plan in plans:
        if plan.done and plan.parts(config).folder.exists():
            discard(plan.final)
    todo = [plan for plan in plans if not plan.done]
    needed = sum(plan.needed(config) for plan in todo)
    _check_space(out, needed)
    with disk_errors(out, needed):
        try:
            whole = _make(config, out, todo, say)
        except FileNotFoundError:
            # Another shard's run put the store together and took the parts away while this one was at work.
            whole = config.shard is not None and all(_published(plan) for plan in plans)
            if not whole:
                raise
        if not (whole or all(_published(plan) for plan in plans)):
            return
        rejected = _list_rejected(out, plans)
    for plan in plans:
        store = FaceStore(plan.final)
        was = "nothing to do, it was there already" if plan.done else f"look at {plan.final / CONTACT}"
        say(f"{plan.final}: {len(store):,} faces, {store.card.rejected:,} rejected; {was}")
        if not plan.split.annotated:
            _say_agreement(store, plan.split.jobs, say)
    _say_rejected(rejected, out / REJECTED, say)
    if config.strict and rejected:
        raise UserError(f"strict=true, and {len(rejected):,} were rejected: see {out / REJECTED}")


def _place(config: PrepareConfig) -> Path:
    """Where the stores go, a link followed: the last step is a rename, which must not cross disks."""
    out = Path(config.out)
    if out.resolve() == Path.cwd().resolve():
        raise UserError(f"out={config.out} is the current folder, which cannot be renamed into: name a new folder")
    if config.shard is not None and config.overwrite:
        raise UserError("overwrite=true with shard=: the shards would replace each other's work; delete the old store")
    return out.resolve() if out.is_symlink() else out


def _recipe(config: PrepareConfig, splits: Sequence[Split]) -> Recipe:
    if all(split.annotated for split in splits) or isinstance(config.landmarks, AnnotationsConfig):
        return Recipe(config.crop, config.visibility)
    from src.landmarks.build import build_landmarker

    return Recipe(config.crop, config.visibility, build_landmarker(config.landmarks))


def store_settings(config: PrepareConfig, split: Split, recipe: Recipe) -> Settings:
    """All that decides the bytes of a split's store."""
    made_by = {"landmarks": "annotations"} if recipe.landmarker is None else recipe.landmarker.settings
    values = {key: ",".join(map(str, v)) if isinstance(v, tuple) else v for key, v in vars(config.crop).items()}
    crop = {"crop" if key == "name" else f"crop.{key}": value for key, value in values.items()}
    return {**split.settings, **made_by, **crop, "visibility": config.visibility, "side": SIDE}


def _plan(config: PrepareConfig, out: Path, split: Split, recipe: Recipe) -> _Plan:
    """What is to be done for a split, decided before anything is written."""
    final, settings = out / split.name, store_settings(config, split, recipe)
    if split.name and (out / CARD).exists():
        raise UserError(f"{out} is itself a store, and the source has splits: choose another out=")
    if os.path.ismount(final):
        raise UserError(f"{final} is a mount point, which cannot be renamed into: name a folder in it, {final}/faces")
    if not (final / CARD).exists():
        _check_free(final, config.overwrite)
        return _Plan(split, final, settings, recipe, done=False)
    if config.overwrite:
        return _Plan(split, final, settings, recipe, done=_intact(final, settings))
    made_with = FaceStore(final).card.settings
    for key in sorted(settings.keys() | made_with.keys()):
        old, new = made_with.get(key), settings.get(key)
        if old != new:
            raise UserError(
                f"{final} was prepared with {key}={old}, not {new}: "
                f"add overwrite=true to replace it, or choose another out="
            )
    return _Plan(split, final, settings, recipe, done=True)


def _intact(final: Path, settings: Settings) -> bool:
    """Whether a store needs no replacing: what a run with overwrite=true that was stopped has made stays made."""
    try:
        store = FaceStore(final)
    except StoreError:
        return False
    return store.card.settings == settings and not store.wrong_hashes()


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


def _published(plan: _Plan) -> bool:
    """Whether the store is there by now, made with these settings: another run may have been faster."""
    try:
        return (plan.final / CARD).exists() and FaceStore(plan.final).card.settings == plan.settings
    except StoreError:
        return False


def _make(config: PrepareConfig, out: Path, todo: Sequence[_Plan], say: Say) -> bool:
    """Do the parts that are missing of every split, then put the stores together; False where parts are missing."""
    with ExitStack() as locks:
        works = [(plan, locks.enter_context(plan.parts(config))) for plan in todo]
        for plan, parts in works:
            if not config.overwrite and _published(plan):
                parts.remove()
        works = [(plan, parts) for plan, parts in works if config.overwrite or not _published(plan)]
        while True:
            for plan, parts in works:
                _do_parts(config, plan, parts, say)
            missing = [(plan, parts) for plan, parts in works if parts.landed() < parts.count and not _published(plan)]
            for plan, parts in missing:
                say(
                    f"{plan.final}: shard {config.shard} of {config.shards} is done; {parts.landed():,} of "
                    f"{parts.count:,} parts are there, and the run that does the last one makes the store"
                )
            if missing:
                return False
            if config.shard is not None and not all(parts.assembling() for _, parts in works):
                say(f"{out}: shard {config.shard} is done; another shard's run puts the store together")
                return False
            try:
                _check_rejected(config, out, works)
                for plan, parts in works:
                    if config.shard is None or not _published(plan):
                        _assemble(config, plan, parts)
                    parts.remove()
                return True
            except DamagedPart as damaged:
                say(f"{damaged}; it is done again")


def _do_parts(config: PrepareConfig, plan: _Plan, parts: Parts, say: Say) -> None:
    todo, jobs = parts.missing(), plan.split.jobs
    if not todo:
        return
    if parts.landed():
        say(f"{plan.final}: goes on, {parts.landed():,} of {parts.count:,} parts are there already")
    chunks = [(part, chunk) for part in todo for chunk in parts.chunks(part)]
    expected = sum(max(1, jobs[at].faces) for _, chunk in chunks for at in chunk)
    outcomes = resolved(jobs, (chunk for _, chunk in chunks), plan.recipe, config.workers)
    with FaceProgress(str(plan.final), expected) as progress:
        for part in todo:
            done: list[Face | BadFace] = []
            for _ in parts.chunks(part):
                for results in next(outcomes):
                    bad = sum(isinstance(result, BadFace) for result in results)
                    progress.advance(len(results) - bad, bad)
                    done += results
            parts.land(part, done)


def _check_rejected(config: PrepareConfig, out: Path, works: Sequence[tuple[_Plan, Parts]]) -> None:
    """Refuse, before any store appears, what is to be refused; its rejects are looked at anew by the next run."""
    faces, rejected = dict[str, int](), list[tuple[str, BadFace]]()
    for plan, parts in works:
        if _published(plan) and config.shard is not None:
            continue
        name = plan.split.name
        faces[name], bad = parts.summary()
        rejected += [(name, one) for one in bad]
    empty = [name for name, count in faces.items() if not count]
    if not empty and not (config.strict and rejected):
        return
    for _, parts in works:
        parts.forget_rejects()
    out.mkdir(parents=True, exist_ok=True)
    # Beside an old store that stays (overwrite=true), its own list stays too.
    path = out / REJECTED if not (out / CARD).exists() else out.with_name(f"{out.name}.{REJECTED}")
    write_rejected(path, rejected)
    first = f"first {rejected[0][1]}" if rejected else "the source is empty"
    if empty:
        where = f" in {empty[0]}" if empty[0] else ""
        raise UserError(f"no usable face{where}: all {len(rejected):,} were rejected ({first}); see {path}")
    raise UserError(
        f"strict=true, and {len(rejected):,} of {sum(faces.values()) + len(rejected):,} were rejected ({first}); "
        f"see {path}, and mend or remove them, or leave strict=true out; no store was written"
    )


def _assemble(config: PrepareConfig, plan: _Plan, parts: Parts) -> None:
    split, rejected = plan.split, list[tuple[str, BadFace]]()
    with StoreWriter(plan.final, config.overwrite) as writer:
        for part in range(parts.count):
            faces, bad = parts.read(part)
            for face in faces:
                writer.add(face, split.name)
            rejected += [(split.name, one) for one in bad]
        writer.close()
        write_rejected(writer.folder / REJECTED, rejected)
        from src.preparation.contact_sheet import draw_contact_sheet  # it brings torch, which no worker needs

        draw_contact_sheet(writer.folder).save(writer.folder / CONTACT)
        writer.seal(split.name, plan.settings, split.description, len(rejected), config.crop.rule)
        if not (plan.final / CARD).exists():
            (plan.final / REJECTED).unlink(missing_ok=True)  # of an earlier run that made no store
        writer.publish()


def _list_rejected(out: Path, plans: Sequence[_Plan]) -> list[tuple[str, BadFace]]:
    """The rejects of all stores in `out`, those of a source with splits written down there in one list."""
    if not any(plan.split.name for plan in plans):
        return read_rejected(out / REJECTED)
    splits = [name for name in SPLITS if (out / name / CARD).exists()]
    rejected = [entry for name in splits for entry in read_rejected(out / name / REJECTED)]
    with replacing(out / REJECTED) as (hidden,):
        write_rejected(hidden, rejected)
    made = {plan.split.name for plan in plans}
    return [(split, bad) for split, bad in rejected if split in made]


def _say_rejected(rejected: list[tuple[str, BadFace]], path: Path, say: Callable[[str], None]) -> None:
    """The reasons, commonest first, and where the list is."""
    if not rejected:
        return
    say(f"rejected: {len(rejected):,}, listed in {path}")
    reasons = Counter(bad.reason.split(":")[0] for _, bad in rejected)
    for reason, count in reasons.most_common(8):
        example = next(bad.file for _, bad in rejected if bad.reason.split(":")[0] == reason)
        say(f"  {count:,} x {reason} (first: {example})")


def _say_agreement(store: FaceStore, jobs: Sequence[object], say: Say) -> None:
    """Where the source has landmarks of its own beside a network's: how many faces were found, and how far off."""
    errors = [row.landmark_error for row in store.manifest if row.landmark_error is not None]
    if errors:
        annotated = sum(len(getattr(job, "annotations", ())) for job in jobs)
        say(
            f"  {len(errors):,} of {annotated:,} annotated faces were found; the landmarks' mean error is "
            f"{100 * sum(errors) / len(errors):.1f} % of the distance of the outer eye corners"
        )
