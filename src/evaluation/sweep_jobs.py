"""The checkpoints of a sweep as the methods of an evaluation, experiment by experiment and seed by seed."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from src.evaluation.config import EvaluateConfig
from src.evaluation.run import Evaluation, evaluate
from src.method.method import Method
from src.method.trained import load_trained
from src.metric.choose import Chosen
from src.model.checkpoint import Weights, read_content
from src.store.read import FaceStores
from src.sweep.table import Row, read_jobs
from src.system.errors import UserError

FULL = ("celeba16x", "ablation/heb_64", "ablation/stacks_4")
"""The full model where no reference is named; the two ablations are celeba16x under another name."""
CHECKPOINT = Path("checkpoints") / "last.ckpt"
"""Not the best one: that was chosen by the faces that may be measured here."""


@dataclass(frozen=True)
class SweepJobs:
    """The jobs of a sweep that left a checkpoint.

    Attributes:
        experiments: experiment -> seed -> the method's name.
        files: the method's name -> its checkpoint.
        reference: the experiment that the others are compared with.
        stores: the validation stores of the jobs; empty if they differ.
        unfinished: a line for each job without a checkpoint.
    """

    experiments: Mapping[str, Mapping[int, str]]
    files: Mapping[str, Path]
    reference: str
    stores: tuple[str, ...]
    unfinished: tuple[str, ...]


def sweep_jobs(sweep: Path, reference: str | None = None) -> SweepJobs:
    """Find the jobs of a sweep's folder.

    Raises:
        UserError: no job has a checkpoint, two jobs are of one experiment and seed, or no job is the reference.
    """
    if not sweep.is_dir():
        raise UserError(f"run={sweep} is no folder: give the folder of a sweep (outputs/sweeps/NAME)")
    experiments: dict[str, dict[int, str]] = {}
    files: dict[str, Path] = {}
    stores, unfinished = set[tuple[str, ...]](), list[str]()
    for row in read_jobs(sweep):
        path = sweep / row.folder / CHECKPOINT
        if not path.is_file():
            unfinished.append(f"job {row.record.number} ({row.overrides or 'no overrides'}): no {CHECKPOINT}")
            continue
        training = read_content(path).get("hyper_parameters", {})
        experiment, seed = _experiment(row), int(training.get("seed") or 0)
        method = re.sub(r"\W+", "_", f"{experiment.removeprefix('ablation/')}_{seed}").strip("_")
        if seed in experiments.get(experiment, {}) or method in files:
            raise UserError(
                f"{sweep}: several jobs are '{experiment}' with seed {seed}; give each sweep its own folder"
            )
        experiments.setdefault(experiment, {})[seed] = method
        files[method] = path
        stores.add(tuple(training.get("data", {}).get("val", ())))
    if not files:
        raise UserError(f"{sweep}: no job has a {CHECKPOINT} yet")
    known = next((name for name in FULL if name in experiments), None) if reference is None else reference
    if known not in experiments and f"ablation/{known}" in experiments:
        known = f"ablation/{known}"
    if known is None or known not in experiments:
        wanted = "no job is the full model" if reference is None else f"no job is '{reference}'"
        raise UserError(f"{sweep}: {wanted}; name one with reference=, of {', '.join(sorted(experiments))}")
    return SweepJobs(experiments, files, known, stores.pop() if len(stores) == 1 else (), tuple(unfinished))


def _experiment(row: Row) -> str:
    """What the job varies beside its seed: the experiment's name, or the overrides that differ."""
    overrides = [text for text in row.record.overrides if text.startswith("experiment=")]
    differing = [text for text in row.overrides.split() if not text.startswith(("seed=", "experiment="))]
    name = overrides[-1].partition("=")[2] if overrides else ""
    return " ".join([*([name] if name else []), *differing]) or "the sweep's configuration"


def evaluate_jobs(
    jobs: SweepJobs, stores: FaceStores, config: EvaluateConfig, device: torch.device, chosen: Chosen
) -> Evaluation:
    """Evaluate every job's checkpoint on the same inputs, one network in memory at a time."""
    whole: Evaluation | None = None
    for method in job_methods(jobs, device, config.weights):
        one = evaluate(
            [method], stores, config.protocol, device, config.batch_size, config.faces, grid_faces=0, chosen=chosen
        )
        whole = one if whole is None else _joined(whole, one)
    assert whole is not None
    left_out = (*whole.protocol.left_out, *jobs.unfinished)
    return dataclasses.replace(whole, protocol=dataclasses.replace(whole.protocol, left_out=left_out))


def job_methods(jobs: SweepJobs, device: torch.device, weights: Weights) -> Iterator[Method]:
    """The network of each job's checkpoint, loaded when its turn comes."""
    for name, path in jobs.files.items():
        method = load_trained(path, device, weights)
        method.name, method.title = name, _title(jobs, name)
        yield method


def _title(jobs: SweepJobs, method: str) -> str:
    for experiment, seeds in jobs.experiments.items():
        for seed, name in seeds.items():
            if name == method:
                return f"{experiment}, seed {seed}"
    raise KeyError(method)


def _joined(first: Evaluation, second: Evaluation) -> Evaluation:
    """The methods of two evaluations of the same faces in one."""
    rows = [
        dataclasses.replace(one, methods=one.methods | two.methods)
        for one, two in zip(first.rows, second.rows, strict=True)
    ]
    methods = {**first.protocol.methods, **second.protocol.methods}
    sets = {**first.protocol.sets, **second.protocol.sets}
    return dataclasses.replace(
        first, rows=rows, protocol=dataclasses.replace(first.protocol, methods=methods, sets=sets)
    )
