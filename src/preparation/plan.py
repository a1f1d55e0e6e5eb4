"""The plan of a preparation, made before anything is written: folder, settings and state of each store."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from src.image.decode import MAX_PIXELS
from src.image.sides import SIDE
from src.landmarks.config import AnnotationsConfig
from src.preparation.config import PrepareConfig
from src.preparation.faces import Recipe
from src.preparation.finished_parts import Parts
from src.source.split import Split
from src.store.card import ARRAYS, CARD, CONTACT, MANIFEST, REJECTED, Settings, StoreError, bytes_a_face
from src.store.read import SPLITS, FaceStore
from src.store.write import full_disk
from src.system.errors import UserError

LEFT_OUT = {"crop.margin": 0, "crop.upright": False, "source.max_pixels": MAX_PIXELS}
"""What settings say that a store leaves out of its card."""


@dataclass(frozen=True)
class Plan:
    """What to do for a split: where its store goes, what determines its bytes, and whether it exists.

    Attributes:
        split: the split of the source.
        final: the store's folder.
        settings: everything that determines the store's bytes.
        recipe: how its faces are made.
        done: whether the store existed, whole and with these settings, when the run began.
    """

    split: Split
    final: Path
    settings: Settings
    recipe: Recipe
    done: bool

    def parts(self, config: PrepareConfig) -> Parts:
        """The finished parts of its store."""
        shard = None if config.shard is None else (config.shard, config.shards)
        return Parts(self.final, self.settings, len(self.split.jobs), shard, config.overwrite, config.crop.margin)

    def needed(self, config: PrepareConfig) -> int:
        """Disk space for the store and for its missing parts, in bytes, estimated."""
        parts = self.parts(config)
        left = 1 - parts.landed() / parts.count if parts.count else 0.0
        return round((1 + left) * bytes_a_face(config.crop.margin) * sum(job.faces for job in self.split.jobs))

    def published(self) -> bool:
        """Whether the store exists by now, with these settings: another run may have been faster."""
        try:
            return (self.final / CARD).exists() and FaceStore(self.final).card.settings == self.settings
        except StoreError:
            return False

    def intact(self) -> bool:
        """Whether the store exists, with these settings, and the hash of every file is right."""
        return self.published() and not FaceStore(self.final).wrong_hashes()


def out_folder(config: PrepareConfig) -> Path:
    """The folder of the stores, with a link followed: the last step is a rename, which cannot cross disks."""
    out = Path(config.out)
    if out.resolve() == Path.cwd().resolve():
        raise UserError(f"out={config.out} is the current folder, which a rename cannot replace: name a new folder")
    if config.shard is not None and config.overwrite:
        raise UserError("overwrite=true with shard=: shards would replace each other's work; delete the old store")
    return out.resolve() if out.is_symlink() else out


def recipe_of(config: PrepareConfig, splits: Sequence[Split]) -> Recipe:
    """How the faces of these splits are made; loads the landmark network if one is needed."""
    if all(split.annotated for split in splits) or isinstance(config.landmarks, AnnotationsConfig):
        return Recipe(config.crop, config.visibility)
    from src.landmarks.build import build_landmarker

    return Recipe(config.crop, config.visibility, build_landmarker(config.landmarks))


def store_settings(config: PrepareConfig, split: Split, recipe: Recipe) -> Settings:
    """Everything that determines the bytes of a split's store."""
    made_by = {"landmarks": "annotations"} if recipe.landmarker is None else recipe.landmarker.settings
    values = {key: ",".join(map(str, v)) if isinstance(v, tuple) else v for key, v in vars(config.crop).items()}
    # Stores from before these keys were made without them.
    values = {key: value for key, value in values.items() if value or key not in ("upright", "margin")}
    crop = {"crop" if key == "name" else f"crop.{key}": value for key, value in values.items()}
    return {**split.settings, **made_by, **crop, "visibility": config.visibility, "side": SIDE}


def plan_of(config: PrepareConfig, out: Path, split: Split, recipe: Recipe) -> Plan:
    """The plan for a split, made before anything is written.

    Raises:
        UserError: the folder holds something else, or a store with other settings and `overwrite` is off.
    """
    final, settings = out / split.name, store_settings(config, split, recipe)
    if split.name and (out / CARD).exists():
        raise UserError(f"{out} is itself a store, and the source has splits: choose another out=")
    if os.path.ismount(final):
        raise UserError(f"{final} is a mount point, which a rename cannot replace: name a folder in it, {final}/faces")
    if not (final / CARD).exists():
        _check_free(final, config.overwrite)
        return Plan(split, final, settings, recipe, done=False)
    if config.overwrite:
        # A stopped run that replaces several stores does not make its finished stores again.
        done = Plan(split, final, settings, recipe, done=True)
        return done if done.intact() else replace(done, done=False)
    made_with = FaceStore(final).card.settings
    for key in sorted(settings.keys() | made_with.keys()):
        old, new = (of.get(key, LEFT_OUT.get(key)) for of in (made_with, settings))
        if old != new:
            raise UserError(
                f"{final} was prepared with {key}={old}, not {new}: "
                f"add overwrite=true to replace it, or choose another out="
            )
    return Plan(split, final, settings, recipe, done=True)


def _check_free(final: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything but what an earlier `prepare` left."""
    ours = {REJECTED, CONTACT, MANIFEST, *ARRAYS} if overwrite else {REJECTED}
    if final.exists() and not final.is_dir():
        raise UserError(f"out={final} is a file: choose a folder that is new or empty")
    others = [path.name for path in final.iterdir() if path.name not in ours] if final.exists() else []
    splits = [name for name in SPLITS if (final / name / CARD).exists()]
    if others:
        what = f"stores ({', '.join(splits)})" if splits else f"other files ({', '.join(sorted(others)[:3])})"
        raise UserError(f"out={final} holds {what} and is not a store: choose a folder that is new or empty")


def check_space(out: Path, needed: int) -> None:
    """Raise UserError before the work begins if the disk is too small."""
    place = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    if shutil.disk_usage(place).free < needed:
        raise UserError(full_disk(out, needed, "the disk is too small"))
