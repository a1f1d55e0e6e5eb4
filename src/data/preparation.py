"""Turning a source into stores, in parts that a stopped run goes on from."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.data.card import ARRAYS, BYTES_A_FACE, CARD, MANIFEST, Settings
from src.data.face import SIDE, BadFace, Face
from src.data.finishing import Recipe
from src.data.manifest import read_rejected, write_rejected
from src.data.parts import DamagedPart, Parts
from src.data.prepare_config import PrepareConfig
from src.data.resolving import resolved
from src.data.sources import Split, list_splits
from src.data.store import SPLITS, FaceStore
from src.data.store_writer import StoreWriter, disk_errors, full_disk, recover
from src.errors import UserError
from src.landmarks.config import AnnotationsConfig
from src.progress import FaceProgress

REJECTED, CONTACT = "rejected.csv", "contact.png"

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Plan:
    split: Split
    final: Path
    settings: Settings
    recipe: Recipe
    done: bool

    @property
    def needed(self) -> int:
        """Bytes of the store and of the parts that it is put together from, about."""
        return 2 * BYTES_A_FACE * sum(job.faces for job in self.split.jobs)


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
    out = Path(config.out)
    if out.resolve() == Path.cwd().resolve():
        raise UserError(f"out={config.out} is the current folder, which cannot be renamed into: name a new folder")
    splits = list_splits(config.source, config.landmarks.name)
    recipe = _recipe(config, splits)
    plans = [_plan(config, split, recipe) for split in splits]
    todo = [plan for plan in plans if not plan.done]
    needed = sum(plan.needed for plan in todo)
    _check_space(out, needed)
    whole = [_make(config, plan, say) for plan in todo]
    if not all(whole):
        return
    rejected = [entry for plan in plans for entry in read_rejected(plan.final / REJECTED)]
    if todo and (len(plans) > 1 or plans[0].split.name):
        with disk_errors(out, needed):
            write_rejected(out / REJECTED, rejected)
    for plan in plans:
        store = FaceStore(plan.final)
        was = "nothing to do, it was there already" if plan.done else f"look at {plan.final / CONTACT}"
        say(f"{plan.final}: {len(store):,} faces, {store.card.rejected:,} rejected; {was}")
        _say_agreement(store, plan.split.jobs, say)
    _say_rejected(rejected, out / REJECTED, say)
    if config.strict and rejected:
        raise UserError(f"strict=true, and {len(rejected):,} were rejected: see {out / REJECTED}")


def _recipe(config: PrepareConfig, splits: Sequence[Split]) -> Recipe:
    if all(split.annotated for split in splits) or isinstance(config.landmarks, AnnotationsConfig):
        return Recipe(config.crop, config.visibility)
    from src.landmarks.build import build_landmarker

    return Recipe(config.crop, config.visibility, build_landmarker(config.landmarks))


def _plan(config: PrepareConfig, split: Split, recipe: Recipe) -> _Plan:
    """What is to be done for a split, decided before anything is written."""
    out = Path(config.out)
    final = out / split.name
    made_by = {"landmarks": "annotations"} if recipe.landmarker is None else recipe.landmarker.settings
    crop = {f"crop.{key}" if key != "name" else "crop": value for key, value in _settings(config.crop).items()}
    settings: Settings = {**split.settings, **made_by, **crop, "visibility": config.visibility, "side": SIDE}
    recover(final)
    if split.name and (out / CARD).exists():
        raise UserError(f"{out} is itself a store, and the source has splits: choose another out=")
    if not (final / CARD).exists():
        _check_free(final, config.overwrite)
        return _Plan(split, final, settings, recipe, done=False)
    if config.overwrite:
        return _Plan(split, final, settings, recipe, done=False)
    made_with = FaceStore(final).card.settings
    for key in sorted(settings.keys() | made_with.keys()):
        old, new = made_with.get(key), settings.get(key)
        if old != new:
            raise UserError(
                f"{final} was prepared with {key}={old}, not {new}: "
                f"add overwrite=true to replace it, or choose another out="
            )
    return _Plan(split, final, settings, recipe, done=True)


def _settings(crop: object) -> Settings:
    return {key: ",".join(map(str, value)) if isinstance(value, tuple) else value for key, value in vars(crop).items()}


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


def _make(config: PrepareConfig, plan: _Plan, say: Say) -> bool:
    """Do the parts that are missing, and put the store together; False where other shards have parts to do."""
    shard = None if config.shard is None else (config.shard, config.shards)
    jobs = len(plan.split.jobs)
    with (
        disk_errors(plan.final, plan.needed),
        Parts(plan.final, plan.settings, jobs, shard, config.overwrite) as parts,
    ):
        if config.shard is not None and _published(plan):
            parts.remove()
            return True
        while True:
            _do_parts(config, plan, parts, say)
            if parts.landed() < parts.count:
                say(
                    f"{plan.final}: shard {config.shard} of {config.shards} is done; {parts.landed():,} of "
                    f"{parts.count:,} parts are there, and the run that does the last one makes the store"
                )
                return False
            if shard is not None and not parts.assembling():
                say(f"{plan.final}: shard {config.shard} is done; another shard's run puts the store together")
                return False
            try:
                if shard is None or not _published(plan):
                    _assemble(config, plan, parts)
            except DamagedPart as damaged:
                say(f"{damaged}; it is done again")
                continue
            parts.remove()
            return True


def _published(plan: _Plan) -> bool:
    """Whether the store is there by now, made with these settings: another shard's run may have been faster."""
    return (plan.final / CARD).exists() and FaceStore(plan.final).card.settings == plan.settings


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


def _assemble(config: PrepareConfig, plan: _Plan, parts: Parts) -> None:
    split, rejected = plan.split, list[tuple[str, BadFace]]()
    with StoreWriter(plan.final, config.overwrite) as writer:
        for part in range(parts.count):
            faces, bad = parts.read(part)
            for face in faces:
                writer.add(face, split.name)
            rejected += [(split.name, one) for one in bad]
        if not writer.faces or (config.strict and rejected):
            raise _refused(config, writer.faces, rejected)
        writer.seal(split.name, plan.settings, split.description, len(rejected), config.crop.rule)
        write_rejected(writer.folder / REJECTED, rejected)
        from src.data.contact import draw_contact_sheet  # it brings torch, which no worker needs

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


def _say_agreement(store: FaceStore, jobs: Sequence[object], say: Say) -> None:
    """Where the source has landmarks of its own beside a network's: how many faces were found, and how far off."""
    errors = [row.landmark_error for row in store.manifest if row.landmark_error is not None]
    if errors:
        annotated = sum(len(getattr(job, "annotations", ())) for job in jobs)
        say(
            f"  {len(errors):,} of {annotated:,} annotated faces were found; the landmarks' mean error is "
            f"{100 * sum(errors) / len(errors):.1f} % of the distance of the outer eye corners"
        )
