"""Makes stores from a source, part by part, so that a stopped run can resume."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from src.image.encode import png_bytes
from src.preparation.config import PrepareConfig
from src.preparation.copies import Survey, survey
from src.preparation.finished_parts import DamagedPart, Parts, discard, tidy
from src.preparation.plan import Plan, check_space, out_folder, plan_of, recipe_of
from src.preparation.rejects import check_rejects, list_rejects, say_rejects, say_remarks
from src.preparation.workers import resolved
from src.source.list_splits import list_splits
from src.source.photograph import Remark
from src.store.card import CARD, CONTACT, REJECTED
from src.store.face import Face
from src.store.manifest import write_rejected
from src.store.read import FaceStore
from src.store.write import StoreWriter, disk_errors
from src.system.errors import BadFace, UserError
from src.system.progress import FaceProgress, Say


def run_preparation(config: PrepareConfig, say: Say) -> None:
    """Write the stores of a source; leave alone a store that exists with the same settings.

    Args:
        config: what to make, and where; with `shard`, one share of the work: the last shard to end makes the stores.
        say: shows a line to the person.

    Raises:
        UserError: the source or the landmark network is not usable, `out` holds something else or a store with other
            settings, another process writes there, the disk is full, no face was usable, or `strict` is set and
            something was rejected. No half store is left; the same command resumes from the finished parts.
    """
    out = out_folder(config)
    splits = list_splits(config.source, config.landmarks.name, config.crop.margin, config.crop.upright)
    recipe = recipe_of(config, splits)
    for split in splits:
        tidy(out / split.name, wait=config.shard is not None)
    plans = [plan_of(config, out, split, recipe) for split in splits]
    for plan in plans:
        if plan.done and plan.parts(config).folder.exists():
            discard(plan.final)
    todo = [plan for plan in plans if not plan.done]
    needed = sum(plan.needed(config) for plan in todo)
    check_space(out, needed)
    with disk_errors(out, needed):
        try:
            whole = _make(config, out, todo, say)
        except FileNotFoundError:
            # Meanwhile another shard's run has put the store together and removed the parts.
            whole = config.shard is not None and all(plan.published() for plan in plans)
            if not whole:
                raise
        if not (whole or all(plan.published() for plan in plans)):
            return
        rejected = list_rejects(out, plans)
    for plan in plans:
        store = FaceStore(plan.final)
        was = "nothing to do, it exists already" if plan.done else f"look at {plan.final / CONTACT}"
        say(f"{plan.final}: {len(store):,} faces, {store.card.rejected:,} rejected; {was}")
        if not plan.split.annotated:
            _say_agreement(store, plan.split.jobs, say)
    say_rejects(rejected, out / REJECTED, say)
    if config.strict and rejected:
        raise UserError(f"strict=true, and {len(rejected):,} were rejected: see {out / REJECTED}")


def _make(config: PrepareConfig, out: Path, todo: Sequence[Plan], say: Say) -> bool:
    """Do the missing parts of every split, then put the stores together; False if another shard's run will do that."""
    with ExitStack() as locks:
        works = [(plan, locks.enter_context(plan.parts(config))) for plan in todo]
        for plan, parts in works:
            if not config.overwrite and plan.published():
                parts.remove()
        works = [(plan, parts) for plan, parts in works if config.overwrite or not plan.published()]
        while True:
            for plan, parts in works:
                _do_parts(config, plan, parts, say)
            missing = [(plan, parts) for plan, parts in works if parts.landed() < parts.count and not plan.published()]
            for plan, parts in missing:
                say(
                    f"{plan.final}: shard {config.shard} of {config.shards} is done; {parts.landed():,} of "
                    f"{parts.count:,} parts are there; the run that does the last part makes the store"
                )
            if missing:
                return False
            if config.shard is not None and not all(parts.assembling() for _, parts in works):
                say(f"{out}: shard {config.shard} is done; another shard's run makes the store")
                return False
            try:
                left = [work for work in works if config.shard is None or not work[0].published()]
                surveys = survey(out, left)
                check_rejects(config, out, left, surveys)
                for work in list(works):
                    plan, parts = work
                    if work in left:
                        _assemble(config, plan, parts, surveys[plan.split.name])
                    parts.remove()
                    works.remove(work)  # if a part of the next store is damaged, this one is not made again
                return True
            except DamagedPart as damaged:
                say(f"{damaged}; it is done again")


def _do_parts(config: PrepareConfig, plan: Plan, parts: Parts, say: Say) -> None:
    todo, jobs = parts.missing(), plan.split.jobs
    if not todo:
        return
    if parts.landed():
        say(f"{plan.final}: resumes, {parts.landed():,} of {parts.count:,} parts are there already")
    chunks = [(part, chunk) for part in todo for chunk in parts.chunks(part)]
    expected = sum(max(1, jobs[at].faces) for _, chunk in chunks for at in chunk)
    outcomes = resolved(jobs, (chunk for _, chunk in chunks), plan.recipe, config.workers)
    remarks = list[Remark]()
    try:
        with FaceProgress(str(plan.final), expected) as progress:
            for part in todo:
                done: list[Face | BadFace] = []
                for _ in parts.chunks(part):
                    for results in next(outcomes):
                        faces = [result for result in results if not isinstance(result, Remark)]
                        remarks += [result for result in results if isinstance(result, Remark)]
                        bad = sum(isinstance(face, BadFace) for face in faces)
                        progress.advance(len(faces) - bad, bad)
                        done += faces
                parts.land(part, done)
    finally:  # a run that resumes does not read these pictures again
        say_remarks(remarks, say)


def _assemble(config: PrepareConfig, plan: Plan, parts: Parts, found: Survey) -> None:
    split, number = plan.split, 0
    with StoreWriter(plan.final, config.overwrite, config.crop.margin) as writer:
        for part in range(parts.count):
            for face in parts.read(part)[0]:
                if number not in found.copies:
                    writer.add(face, split.name)
                number += 1
        rejected = [(split.name, bad) for bad in found.rejected]
        writer.close()
        write_rejected(writer.folder / REJECTED, rejected)
        from src.preparation.contact_sheet import draw_contact_sheet  # imports torch, which no worker needs

        (writer.folder / CONTACT).write_bytes(png_bytes(draw_contact_sheet(writer.folder)))
        writer.seal(split.name, plan.settings, split.description, len(rejected), config.crop.rule)
        if not (plan.final / CARD).exists():
            (plan.final / REJECTED).unlink(missing_ok=True)  # from an earlier run that made no store
        writer.publish()


def _say_agreement(store: FaceStore, jobs: Sequence[object], say: Say) -> None:
    """If a network placed landmarks and the source has its own: show how many faces it found, and its error."""
    errors = [row.landmark_error for row in store.manifest if row.landmark_error is not None]
    if errors:
        annotated = sum(len(getattr(job, "annotations", ())) for job in jobs)
        say(
            f"  {len(errors):,} of {annotated:,} annotated faces were found; the landmarks' mean error is "
            f"{100 * sum(errors) / len(errors):.1f} % of the distance between the outer eye corners"
        )
