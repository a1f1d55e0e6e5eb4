"""The report of an evaluation: `report.md`, `metrics.json` and the lines for the terminal."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from src.metric.image import IMAGE_METRICS, PSNR_CAP
from src.report.scores import METHODS, FaceScores, Mean, Summary, summarise

TITLES: Final = {"psnr_rgb": "PSNR RGB (dB)", "ssim_rgb": "SSIM RGB", "psnr_y": "PSNR Y (dB)", "ssim_y": "SSIM Y"}
MOST_COMPONENTS: Final = 8  # with more maps (68) the report gives the mean over them alone


@dataclass(frozen=True)
class Protocol:
    """What the numbers were measured on, and how.

    Attributes:
        checkpoint: the file.
        checkpoint_sha256: of its bytes.
        experiment: the run's name, as far as recorded.
        seed: of the training, likewise.
        epoch: the epoch it was saved in, from 0, likewise.
        iterations: training batches seen, likewise.
        parameters: of the generator.
        stores: the data: path, faces evaluated, faces in the store, SHA-256 of its images.
        misalignment: the ranges: rotation in degrees, scale_min, scale_max, shift as a share of the side.
        heatmap_side: R of the evaluated maps; None without heatmaps.
        device: what computed it.
        weights: which of the checkpoint's: averaged (their moving average) or raw (the last update's).
    """

    checkpoint: str
    checkpoint_sha256: str
    experiment: str | None
    seed: int | None
    epoch: int | None
    iterations: int | None
    parameters: int
    stores: list[dict[str, str | int]]
    misalignment: dict[str, float]
    heatmap_side: int | None
    device: str
    weights: str = "raw"


def protocol_words(protocol: Protocol, faces: int) -> list[str]:
    """How the numbers were measured, a sentence each."""
    ranges = protocol.misalignment
    words = [
        f"Per-image means over {faces:,} faces; no pooling of pixels.",
        "16x16 > 128x128 (8x). The inputs are unaligned: rotated uniformly within "
        f"{ranges['rotation']:g} degrees, scaled {ranges['scale_min']:g}-{ranges['scale_max']:g}, shifted within "
        f"{ranges['shift']:.3g} of the side, empty corners black, at full resolution; then anti-aliased bicubic to "
        "16x16, rounded to 8 bits. Each face's misalignment is fixed by its row in its store. The HR image is upright.",
        "Every image is clamped and rounded to 8 bits, then compared over its whole 128x128 pixels, no border cropped.",
        f"PSNR: data range 1, over the three channels of RGB; capped at {PSNR_CAP:g} dB (identical images).",
        "SSIM: Wang et al. 2004, Gaussian window 11x11, standard deviation 1.5, K1 0.01, K2 0.03, whole windows only; "
        "RGB is the mean of the three channels.",
        "Y: BT.601 in studio range (16-235), as MATLAB's rgb2ycbcr, not rounded.",
    ]
    if protocol.heatmap_side is not None:
        words.append(
            "Heatmap peak error: from the highest point of the last stack's map (sub-pixel) to the nearest visible "
            f"landmark of the component, in pixels of the 128x128 image; maps of {protocol.heatmap_side}x"
            f"{protocol.heatmap_side}. A face that hides a component is left out of its mean."
        )
    return words


def metrics_json(rows: Sequence[FaceScores], protocol: Protocol) -> str:
    """`metrics.json`: the means over all faces and store by store, with everything they depend on."""
    about = asdict(protocol)
    values = {
        **_plain(summarise(rows)),
        "stores": {store: _plain(summarise(mine)) for store, mine in by_store(rows).items()},
        "data": about.pop("stores"),
        "protocol": protocol_words(protocol, len(rows)),
        **about,
    }
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def report_md(rows: Sequence[FaceScores], protocol: Protocol) -> str:
    """`report.md`: the table, store by store where there are several, and the protocol in words."""
    stores = by_store(rows)
    lines = ["# Evaluation", "", *_checkpoint_lines(protocol), ""]
    lines += _section(summarise(rows), f"All {len(rows):,} faces" if len(stores) > 1 else f"{len(rows):,} faces")
    if len(stores) > 1:
        for store, mine in stores.items():
            lines += _section(summarise(mine), f"`{store}`: {len(mine):,} faces")
    lines += ["## Protocol", "", *(f"- {sentence}" for sentence in protocol_words(protocol, len(rows)))]
    lines += [
        f"- Data: `{data['path']}`, {data['faces']:,} of its {data['faces_in_store']:,} faces, images SHA-256 "
        f"{str(data['images_sha256'])[:16]}."
        for data in protocol.stores
    ]
    lines += [
        f"- Computed on {protocol.device}.",
        "",
        "`metrics.csv` has a row a face, `metrics.json` means and standard deviations, `grid.png` some of the faces.",
    ]
    return "\n".join(lines) + "\n"


def by_store(rows: Sequence[FaceScores]) -> dict[str, list[FaceScores]]:
    """The rows of each store, in the order of their first face."""
    stores: dict[str, list[FaceScores]] = {}
    for row in rows:
        stores.setdefault(row.store, []).append(row)
    return stores


def cells(summary: Summary, method: str) -> list[str]:
    """The image metrics of one method as they are printed: PSNR with 2 decimals, SSIM with 4."""
    means = summary.images[method]
    return [number(means[metric], 2 if metric.startswith("psnr") else 4) for metric in IMAGE_METRICS]


def number(value: Mean, decimals: int) -> str:
    """A mean as it is printed; a dash where nothing was measured."""
    return "-" if value.mean is None else f"{value.mean:.{decimals}f}"


def _section(summary: Summary, title: str) -> list[str]:
    lines = [f"## {title}", "", _row(["method", *TITLES.values()]), _row(["---", *["---:"] * len(TITLES)])]
    lines += [_row([words, *cells(summary, method)]) for method, words in METHODS.items()]
    lines += ["", gain_words(summary), ""]
    if summary.peak_px:
        names = list(summary.peak_px) if len(summary.peak_px) <= MOST_COMPONENTS else []
        lines += [
            _row(["heatmap error (px)", *names, "mean of components"]),
            _row(["---", *["---:"] * (len(names) + 1)]),
            *(
                _row([words, *(number(means[name], 2) for name in names), mean_words(means)])
                for words, means in (("peak", summary.peak_px), ("centroid", summary.centroid_px))
            ),
            "",
        ]
    if summary.angle_error_deg is not None:
        lines += [f"Mean absolute angle error of the STN: {number(summary.angle_error_deg, 2)} degrees.", ""]
    return lines


def gain_words(summary: Summary) -> str:
    """The gain over the better bicubic row, a sentence."""
    return (
        f"Gain over the better bicubic row ({METHODS[summary.better_bicubic]}): {summary.gain('psnr_rgb'):+.2f} dB "
        f"PSNR RGB, {summary.gain('psnr_y'):+.2f} dB PSNR Y, {summary.gain('ssim_rgb'):+.4f} SSIM RGB, "
        f"{summary.gain('ssim_y'):+.4f} SSIM Y."
    )


def mean_words(means: dict[str, Mean]) -> str:
    """The mean over the components' means, each component alike."""
    known = [value.mean for value in means.values() if value.mean is not None]
    return f"{sum(known) / len(known):.2f}" if known else "-"


def _checkpoint_lines(protocol: Protocol) -> list[str]:
    recorded = {
        "experiment": protocol.experiment,
        "epoch (from 0)": protocol.epoch,
        "training batches": protocol.iterations,
        "seed": protocol.seed,
    }
    facts = [f"{what} {value}" for what, value in recorded.items() if value is not None]
    facts += [f"{protocol.parameters / 1e6:.2f} M parameters", f"{protocol.weights} weights"]
    return [f"Checkpoint: `{protocol.checkpoint}` (SHA-256 {protocol.checkpoint_sha256[:16]}): {', '.join(facts)}."]


def _plain(summary: Summary) -> dict[str, Any]:
    return {
        "faces": summary.faces,
        "methods": {
            method: {metric: asdict(mean) for metric, mean in metrics.items()}
            for method, metrics in summary.images.items()
        },
        "gain": {
            "over": summary.better_bicubic,
            **{metric: summary.gain(metric) for metric in IMAGE_METRICS},
        },
        "heatmap_peak_px": {name: asdict(mean) for name, mean in summary.peak_px.items()},
        "heatmap_centroid_px": {name: asdict(mean) for name, mean in summary.centroid_px.items()},
        "angle_error_deg": None if summary.angle_error_deg is None else asdict(summary.angle_error_deg),
    }


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"
