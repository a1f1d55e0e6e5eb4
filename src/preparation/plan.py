"""What a preparation has to do, decided before anything is written, and the state of each of its stores."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from src.image.sides import SIDE
from src.landmarks.config import AnnotationsConfig
from src.preparation.config import PrepareConfig
from src.preparation.faces import Recipe
from src.preparation.finished_parts import Parts
from src.source.split import Split
from src.store.card import ARRAYS, BYTES_A_FACE, CARD, CONTACT, MANIFEST, REJECTED, Settings, StoreError
from src.store.read import SPLITS, FaceStore
from src.store.write import full_disk
from src.system.errors import UserError


@dataclass(frozen=True)
class Plan:
    """What becomes of a split: where its store goes, what decides its bytes, and whether it is there.

    Attributes:
        split: the source's.
        final: the store's folder.
        settings: all that decides the store's bytes.
        recipe: how its faces are made.
        done: the store was there, whole and of these settings, when the run began.
    """

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

    def published(self) -> bool:
        """Whether the store is there by now, made with these settings: another run may have been faster."""
        try:
            return (self.final / CARD).exists() and FaceStore(self.final).card.settings == self.settings
        except StoreError:
            return False

    def intact(self) -> bool:
        """Whether the store is there, made with these settings, and every file of it is as it was written."""
        return self.published() and not FaceStore(self.final).wrong_hashes()


def out_folder(config: PrepareConfig) -> Path:
    """Where the stores go, a link followed: the last step is a rename, which must not cross disks."""
    out = Path(config.out)
    if out.resolve() == Path.cwd().resolve():
        raise UserError(f"out={config.out} is the current folder, which cannot be renamed into: name a new folder")
    if config.shard is not None and config.overwrite:
        raise UserError("overwrite=true with shard=: the shards would replace each other's work; delete the old store")
    return out.resolve() if out.is_symlink() else out


def recipe_of(config: PrepareConfig, splits: Sequence[Split]) -> Recipe:
    """How the faces of these splits are made; the landmark network is loaded here, and only where one is asked."""
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


def plan_of(config: PrepareConfig, out: Path, split: Split, recipe: Recipe) -> Plan:
    """What is to be done for a split, decided before anything is written.

    Raises:
        UserError: the folder holds something else, or a store of other settings without `overwrite`.
    """
    final, settings = out / split.name, store_settings(config, split, recipe)
    if split.name and (out / CARD).exists():
        raise UserError(f"{out} is itself a store, and the source has splits: choose another out=")
    if os.path.ismount(final):
        raise UserError(f"{final} is a mount point, which cannot be renamed into: name a folder in it, {final}/faces")
    if not (final / CARD).exists():
        _check_free(final, config.overwrite)
        return Plan(split, final, settings, recipe, done=False)
    if config.overwrite:
        # A run that replaces several stores and is stopped does not make those anew that it has finished.
        done = Plan(split, final, settings, recipe, done=True)
        return done if done.intact() else replace(done, done=False)
    made_with = FaceStore(final).card.settings
    for key in sorted(settings.keys() | made_with.keys()):
        old, new = made_with.get(key), settings.get(key)
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
        raise UserError(f"out={final} holds {what} and is no store itself: choose a folder that is new or empty")


def check_space(out: Path, needed: int) -> None:
    """UserError now, not after the work, where the disk is too small."""
    place = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    if shutil.disk_usage(place).free < needed:
        raise UserError(full_disk(out, needed, "the disk is too small"))
