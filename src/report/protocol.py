"""What an evaluation measured and how: the data behind a report, and the sentences that describe it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from src.metric.metric import MetricCard
from src.report.intervals import LEVEL, RESAMPLES, SEED
from src.report.scores import FaceScores

INTERVALS: Final = (
    f"[a, b]: percentile bootstrap interval of the mean, {LEVEL:.0%}, over faces ({RESAMPLES:,} draws, seed {SEED}). "
    "Differences are paired: both methods on the same faces; p is that of random sign flips, two-sided."
)


@dataclass(frozen=True)
class MethodCard:
    """What a report says about a method besides its scores.

    Attributes:
        title: its name in tables.
        facts: what is known of it by name: checkpoint, seed, parameters, trained_on (a misalignment).
        trained: whether it was trained; gains are those of a trained method over the best of the others.
    """

    title: str
    facts: Mapping[str, Any]
    trained: bool


@dataclass(frozen=True)
class Protocol:
    """The data and the method of the measurement.

    Attributes:
        name: the protocol's name.
        misalignment: how the inputs were made: rotation in degrees, scale_min, scale_max, shift as a share of the
            side, fill, seed, degradation, and a camera's ranges.
        methods: the compared methods by name, in the order of the table.
        metrics: what was measured, in the order of the columns.
        stores: the data: path, faces evaluated, faces in the store, SHA-256 of its images and landmarks.
        device: the device that computed the scores.
        inputs: sentences that say what was compared, where no inputs were made and `misalignment` is empty.
        left_out: a line for each metric that was asked for and not measured, with the reason.
        sets: method -> name of a figure of the whole set (FID) -> its value.
        set_words: sentences that say how those are measured.
    """

    name: str
    misalignment: Mapping[str, Any]
    methods: Mapping[str, MethodCard]
    metrics: Sequence[MetricCard]
    stores: Sequence[Mapping[str, str | int]]
    device: str
    inputs: Sequence[str] = ()
    left_out: Sequence[str] = ()
    sets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    set_words: Sequence[str] = ()


def inputs_words(ranges: Mapping[str, Any]) -> str:
    """A misalignment in words, for inputs that are evaluated or were trained on."""
    corners = {
        "context": "corners filled with the true surroundings",
        "black": "empty corners black",
        "border": "empty corners filled with the border pixels",
    }
    if _upright(ranges):
        return "upright, as the HR faces are"
    return (
        f"rotated uniformly within {ranges['rotation']:g} degrees, scaled {ranges['scale_min']:g}-"
        f"{ranges['scale_max']:g}, shifted within {ranges['shift']:.3g} of the side, {corners[ranges['fill']]}"
    )


def _upright(ranges: Mapping[str, Any]) -> bool:
    return not (ranges["rotation"] or ranges["shift"]) and ranges["scale_min"] == ranges["scale_max"] == 1


def input_words(values: Mapping[str, Any]) -> str:
    """The size of the inputs in words: "16x16", or "12x12-40x40" with own sizes."""
    own = values.get("own_size")  # reports of older versions lack it
    return "-".join(f"{size}x{size}" for size in dict.fromkeys(own or [16]))


def reduction_words(values: Mapping[str, Any]) -> str:
    """How the inputs got small, in words."""
    sides, own = input_words(values), values.get("own_size")
    drawn = ", a side for each face, uniform in its logarithm" if own else ""
    last = ". A method gets them resampled by anti-aliased bicubic to its own input, 16x16 or 32x32" if own else ""
    if values["degradation"] == "bicubic":
        return f"then anti-aliased bicubic to {sides}{drawn}, rounded to 8 bits{last}"
    camera = values["camera"]
    return (
        f"then as a camera makes them {sides}{drawn}: blurred by up to {camera['blur']:g} pixels of "
        f"{'that' if own else '16'}, reduced by a kernel "
        f"drawn from bicubic, bilinear, box and Lanczos, noise of up to {camera['noise']:g} levels, a tone curve of "
        f"exponent {1 / camera['gamma']:.2g}-{camera['gamma']:g}, JPEG of quality {camera['jpeg_min']}-"
        f"{camera['jpeg_max']} at any offset to its blocks{last}"
    )


def protocol_words(protocol: Protocol, rows: Sequence[FaceScores]) -> list[str]:
    """How the numbers were measured, in sentences."""
    measured = {key for scores in rows[0].methods.values() for key in (*scores.whole, *scores.components)}
    return [
        f"Per-image means over {len(rows):,} faces; no pooling of pixels.",
        *(protocol.inputs or [_made_inputs(protocol)]),
        *dict.fromkeys(metric.protocol for metric in protocol.metrics if metric.key in measured),
        *protocol.set_words,
        INTERVALS,
        *(f"Left out: {line}." for line in protocol.left_out),
    ]


def _made_inputs(protocol: Protocol) -> str:
    inputs = protocol.misalignment
    turned = "" if _upright(inputs) else "unaligned: "
    sides = "16x16 to 128x128 (8x)" if not inputs.get("own_size") else f"{input_words(inputs)} to 128x128"
    return (
        f"{sides}, protocol `{protocol.name}`. The inputs are {turned}{inputs_words(inputs)}, at full "
        f"resolution; {reduction_words(inputs)}. Each face's draws are fixed by the seed {inputs['seed']} and its row "
        "in its store, the same for every method. The HR image is upright."
    )
