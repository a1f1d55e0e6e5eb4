"""The ablation table: how far each experiment of a sweep is from the full model, over faces and over seeds."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from src.report.paired import Difference, differences
from src.report.protocol import Protocol
from src.report.scores import FaceScores, MethodScores, score_of
from src.report.table import difference

T_95: Final = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262,
    2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
)  # fmt: skip
"""Student's t at 97.5 % for 1 to 19 degrees of freedom."""
T_LIMIT: Final = 2.09  # a little wide for more
ABLATION_WORDS: Final = (
    "Each figure is the experiment minus the full model: the mean over faces of the mean over its seeds, with the "
    "interval over faces and the p-value of sign flips. After `seeds`: the mean difference of equal seeds and its 95 % "
    "interval over seeds (Student's t), where both have several."
)


@dataclass(frozen=True)
class SeedDifference:
    """The difference of two experiments over seeds, with the ends of its 95 % interval by Student's t."""

    metric: str
    method: str
    mean: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Ablation:
    """A sweep's experiments beside the full model.

    Attributes:
        reference: the full model's experiment.
        experiments: experiment -> its methods' names by seed.
        over_faces: each experiment minus the reference on the same faces, their scores first averaged over seeds.
        over_seeds: the same over the seeds that both have, where they are several.
    """

    reference: str
    experiments: Mapping[str, Mapping[int, str]]
    over_faces: Sequence[Difference]
    over_seeds: Sequence[SeedDifference]


def ablate(rows: Sequence[FaceScores], experiments: Mapping[str, Mapping[int, str]], reference: str) -> Ablation:
    """Compare every experiment with the reference.

    Args:
        rows: the scores of all methods on the same faces.
        experiments: experiment -> seed -> method.
        reference: one of the experiments.
    """
    averaged = [_averaged(row, experiments) for row in rows]
    others = [name for name in experiments if name != reference]
    over_faces = differences(averaged, [(name, reference) for name in others])
    over_seeds = []
    for one in over_faces:
        seeds = sorted(experiments[one.method].keys() & experiments[reference].keys())
        if len(seeds) < 2:
            continue
        apart = []
        for seed in seeds:
            mine, full = experiments[one.method][seed], experiments[reference][seed]
            values = [score_of(row, mine, one.metric) - score_of(row, full, one.metric) for row in rows]
            known = [value for value in values if math.isfinite(value)]
            if known:
                apart.append(statistics.fmean(known))
        if len(apart) > 1:
            mean, half = statistics.fmean(apart), t_interval(apart)
            over_seeds.append(SeedDifference(one.metric, one.method, mean, mean - half, mean + half, len(apart)))
    return Ablation(reference, experiments, over_faces, over_seeds)


def t_interval(values: Sequence[float]) -> float:
    """Half the 95 % interval of a mean of two or more values, by Student's t."""
    freedom = len(values) - 1
    t = T_95[freedom - 1] if freedom <= len(T_95) else T_LIMIT
    return t * statistics.stdev(values) / math.sqrt(len(values))


def _averaged(row: FaceScores, experiments: Mapping[str, Mapping[int, str]]) -> FaceScores:
    """The face with each experiment's mean over seeds as its score."""
    methods = {}
    for name, seeds in experiments.items():
        scores = [row.methods[method].whole for method in seeds.values()]
        shared = [key for key in scores[0] if all(key in one for one in scores)]
        methods[name] = MethodScores({key: statistics.fmean(one[key] for one in scores) for key in shared})
    return FaceScores(
        row.store, row.row, row.file, row.identity, row.angle_deg, row.scale, row.shift_x_px, row.shift_y_px, methods,
        row.misalignment_px, row.yaw_deg,
    )  # fmt: skip


def ablation_table(ablation: Ablation, protocol: Protocol) -> list[list[str]]:
    """One row per experiment, header first, in the main metrics."""
    faces = {(one.method, one.metric): one for one in ablation.over_faces}
    seeds = {(one.method, one.metric): one for one in ablation.over_seeds}
    metrics = [metric for metric in protocol.metrics if metric.compared and not metric.aside]
    metrics = [metric for metric in metrics if any(one.metric == metric.key for one in ablation.over_faces)]
    lines = [["experiment", "seeds", *(metric.head for metric in metrics)]]
    for name, runs in ablation.experiments.items():
        if name == ablation.reference:
            continue
        cells = []
        for metric in metrics:
            words, over = difference(faces.get((name, metric.key)), metric.decimals), seeds.get((name, metric.key))
            if over is not None:
                low, high = f"{over.low:+.{metric.decimals}f}", f"{over.high:+.{metric.decimals}f}"
                words += f"; seeds {over.mean:+.{metric.decimals}f} [{low}, {high}]"
            cells.append(words)
        lines.append([name, ", ".join(str(seed) for seed in runs), *cells])
    return lines
