"""Going on in a run folder that is there already."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from src.errors import UserError

CONFIG = "config.yaml"
FREE = ("run_dir", "trainer", "logger", "callbacks", "data.workers")
"""What may differ between a run and its continuation: how long, where and how it is shown, not what is learnt."""


def start_from(run_dir: Path, last: Path, config: dict[str, Any]) -> Path | None:
    """The checkpoint that a run in this folder goes on from, None for a new run; saves the configuration there.

    The same command in the same folder goes on where the last validation left it.

    Args:
        run_dir: the run folder.
        last: its newest checkpoint, which may not be there.
        config: the run's configuration as plain values.

    Raises:
        UserError: the folder belongs to another configuration.
    """
    saved = run_dir / CONFIG
    resumed = last if last.is_file() else None
    if resumed is not None and not saved.is_file():
        raise UserError(f"{run_dir} has checkpoints but no {CONFIG}: choose another run_dir, or delete the folder")
    if resumed is not None:
        before: Any = OmegaConf.to_container(OmegaConf.load(saved))
        other = differing(before, config)
        if other:
            raise UserError(
                f"{run_dir} holds a run of another configuration, which differs in {', '.join(other[:5])}; "
                "choose another run_dir, or delete the folder"
            )
    run_dir.mkdir(parents=True, exist_ok=True)
    if resumed is not None and (run_dir / "metrics.csv").is_file():
        # The CSV logger starts its file anew.
        number = len(list(run_dir.glob("metrics.before-*.csv"))) + 1
        (run_dir / "metrics.csv").rename(run_dir / f"metrics.before-{number}.csv")
    temporary = saved.with_suffix(".tmp")
    OmegaConf.save(OmegaConf.create(config), temporary)
    temporary.replace(saved)
    return resumed


def differing(before: Any, after: Any, prefix: str = "") -> list[str]:
    """The dotted keys in which two configurations differ, but for those that are free to."""
    if prefix.rstrip(".") in FREE:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted({*before, *after})
        return [name for key in keys for name in differing(before.get(key), after.get(key), f"{prefix}{key}.")]
    return [] if before == after else [prefix.rstrip(".")]
