"""Finds the checkpoint that a run resumes from, in its own folder or at `resume`, and checks that the two fit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from src.model.checkpoint import Damaged, read_content
from src.system.errors import UserError
from src.system.files import write_whole
from src.system.plain import differing, from_plain, to_plain
from src.system.processes import first_process
from src.training.config import TrainConfig

CONFIG = "config.yaml"
FREE = ("run_dir", "resume", "trainer", "logger", "callbacks", "guard", "data.workers")
"""Keys that may change when a run resumes: how long, where and with what display it trains, not what it learns."""
BOUND = ("trainer.accumulate", "trainer.sync_batchnorm", "trainer.limit_train_batches")
"""Keys among FREE that must not change."""
ELSEWHERE = ("optimizer", "init", "init_fresh")
"""Keys that may also change when a run resumes in another folder, for example to rescue a run that diverged; `resume=`
gives the weights then, in place of `init=`."""
NEEDED = ("state_dict", "optimizer_states", "loops", "callbacks", "hyper_parameters", "iterations")
"""What a run needs to resume; a checkpoint without one of these only holds a generator."""


@dataclass(frozen=True)
class Start:
    """The starting point of a run.

    Attributes:
        path: the checkpoint that it resumes from, None for a new run.
        here: whether that checkpoint is in the run's own folder.
        config: the configuration of that checkpoint's run, plain values.
        remarks: lines for the log.
    """

    path: Path | None
    here: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def start_from(run_dir: Path, config: dict[str, Any]) -> Start:
    """The starting point of a run in this folder.

    The same command in the same folder resumes from the newest complete checkpoint: `last.ckpt`, or `previous.ckpt` if
    `last.ckpt` is cut short or damaged (it is then renamed `last.damaged`). A new folder starts from `resume` if set.

    Args:
        run_dir: the run folder.
        config: the run's configuration as plain values; `resume` is a checkpoint or a run folder.

    Raises:
        UserError: no complete checkpoint, one of another configuration, nothing at `resume`, nothing left to train.
    """
    named = config.get("resume")
    found = _newest(run_dir / "checkpoints")
    if found is not None:
        path, content, remarks = found
        if named is not None and named != content["hyper_parameters"].get("resume") and not _is_in(named, path):
            raise UserError(
                f"resume={named}: {run_dir} holds a run already; leave resume= out to resume that run, or choose "
                f"another run_dir to start from {named}"
            )
        _require_same(content, config, f"{run_dir} holds a run", "choose another run_dir, or delete the folder")
    elif named is not None:
        path, content, remarks = _from(Path(named))
        remedy = "give the same values, or leave resume= out"
        _require_same(content, config, f"resume={named} is from a run", remedy, (*FREE, *ELSEWHERE))
        changed = differing(dict(content["hyper_parameters"]), config, FREE, BOUND)
        if "optimizer.name" in changed:
            before = content["hyper_parameters"]["optimizer"]["name"]
            raise UserError(
                f"resume={named} is from a run with {before}, and {config['optimizer']['name']} cannot use the state "
                f"of {before}; give optimizer={before}, with any values"
            )
        if changed:
            remarks = [*remarks, f"changed from here on: {', '.join(changed)}"]
    else:
        return Start(None)
    epochs, most = int(content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]), _epochs(config)
    if most < epochs or (found is None and most == epochs):
        raise UserError(
            f"trainer.max_epochs={most}: {path} has already done {epochs} epochs; give a larger trainer.max_epochs"
        )
    seconds, limit = _seconds_trained(content), _time_limit(config)
    if found is None and limit is not None and seconds >= limit:
        raise UserError(
            f"trainer.max_time={config['trainer']['max_time']}: {path} has already trained for "
            f"{timedelta(seconds=int(seconds))}; give a longer trainer.max_time"
        )
    done = f"resuming from {path}: {int(content['iterations']):,} batches done"
    return Start(path, found is not None, content["hyper_parameters"], (*remarks, done))


def save_config(run_dir: Path, config: dict[str, Any]) -> None:
    """Create the run folder and write `config.yaml` there; raise a UserError if that fails."""
    if not first_process():
        return
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        write_whole(run_dir / CONFIG, OmegaConf.to_yaml(OmegaConf.create(config)))
    except OSError as error:
        raise UserError(f"run_dir={run_dir} cannot be written ({error}); free some space, or choose another") from error


def _epochs(config: dict[str, Any]) -> int:
    return int(config["trainer"]["max_epochs"])


def _seconds_trained(content: dict[str, Any]) -> float:
    """The seconds that Lightning's timer has counted; 0 for a run without a `max_time`."""
    timer = content["callbacks"].get("Timer", {})
    return float(timer.get("time_elapsed", {}).get("train", 0.0))


def _time_limit(config: dict[str, Any]) -> float | None:
    text = config["trainer"]["max_time"]
    if text is None:
        return None
    days, hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(days, seconds, minutes=minutes, hours=hours).total_seconds()


def _newest(folder: Path) -> tuple[Path, dict[str, Any], list[str]] | None:
    """The newest complete checkpoint of a run, its content and remarks for the log; None if there is no checkpoint."""
    paths = [path for path in (folder / "last.ckpt", folder / "previous.ckpt") if path.exists()]
    remarks: list[str] = []
    for path in paths:
        try:
            content = _whole(path)
        except Damaged as error:
            remarks.append(f"not used: {error}")
            continue
        if first_process():
            for damaged in paths[: paths.index(path)]:
                damaged.replace(damaged.with_suffix(".damaged"))  # or the next save would keep it as previous.ckpt
        return path, content, remarks
    if paths:
        raise UserError(
            f"no checkpoint in {folder} can be used ({remarks[0].removeprefix('not used: ')}); "
            "choose another run_dir, or delete the folder to start over"
        )
    return None


def _from(named: Path) -> tuple[Path, dict[str, Any], list[str]]:
    """The checkpoint that `resume` names, its content and remarks for the log."""
    if not named.is_dir():
        try:
            return named, _whole(named), []
        except UserError as error:
            raise UserError(f"resume={named}: {error}") from None
    folder = named if (named / "last.ckpt").exists() else named / "checkpoints"
    last = folder / "last.ckpt"
    for path in (last, folder / "previous.ckpt"):
        if path.exists():
            try:
                return path, _whole(path), [] if path == last else [f"{last} cannot be used"]
            except Damaged:
                continue
    raise UserError(f"resume={named}: no complete checkpoint is in {folder}; give a run folder or a checkpoint file")


def _whole(path: Path) -> dict[str, Any]:
    """The content of a checkpoint that a run can resume from; nothing in it is executed."""
    content = read_content(path)
    missing = [key for key in NEEDED if key not in content]
    if missing or not isinstance(content["hyper_parameters"], Mapping):
        raise UserError(f"{path} is not from a training (it lacks {', '.join(missing) or 'a configuration'})")
    return {**content, "hyper_parameters": _completed(content["hyper_parameters"])}


def _completed(values: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint's configuration, with keys that are newer than it at their defaults.

    A new key's default is what the code did before it. A configuration that no longer fits is returned unchanged, so
    that the error names the keys that differ.
    """
    try:
        return to_plain(from_plain(TrainConfig, values))
    except (UserError, AttributeError, TypeError, ValueError):
        return dict(values)


def _require_same(
    content: dict[str, Any], config: dict[str, Any], whose: str, remedy: str, free: tuple[str, ...] = FREE
) -> None:
    other = differing(dict(content["hyper_parameters"]), config, free, BOUND)
    if other:
        raise UserError(f"{whose} of another configuration, which differs in {', '.join(other[:5])}; {remedy}")


def _is_in(named: str, path: Path) -> bool:
    """Whether `resume` names this checkpoint, its folder or its run folder."""
    return Path(named).resolve() in (path.resolve(), path.resolve().parent, path.resolve().parent.parent)
