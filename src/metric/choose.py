"""The metrics of an evaluation: all the cheap ones, and the costly ones that a configuration asks for."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from src.metric.config import MetricsConfig
from src.metric.fid import FID, inception
from src.metric.identity import Identity
from src.metric.landmark_nme import LandmarkNME, build_backend
from src.metric.load import all_metrics
from src.metric.lpips import LPIPS
from src.metric.metric import Metric
from src.metric.ms_ssim import EXTRA as MS_SSIM
from src.system.errors import UserError
from src.system.extras import missing_package


@dataclass(frozen=True, eq=False)
class Chosen:
    """What to measure.

    Attributes:
        metrics: in the order of the columns.
        fid: collects FID's features; None where it was not asked for or is left out.
        left_out: a line for each metric that was asked for and cannot be measured here, with the reason.
    """

    metrics: tuple[Metric, ...]
    fid: FID | None = None
    left_out: tuple[str, ...] = ()


def choose_metrics(config: MetricsConfig, device: torch.device) -> Chosen:
    """All metrics of this folder and those that are asked for; what cannot be measured is left out, with its reason."""
    metrics, left_out, fid = list(all_metrics()), list[str](), list[FID]()

    def attempt(name: str, build: Callable[[], None]) -> None:
        try:
            build()
        except UserError as error:
            left_out.append(f"{name}: {error}")
        except ModuleNotFoundError as error:
            named = missing_package(error)
            if named is None:
                raise
            left_out.append(f"{name}: {named}")

    if config.ms_ssim:
        metrics.append(MS_SSIM)
    net, backend, weights = config.lpips, config.landmarks, config.fid
    if net is not None:
        attempt("LPIPS", lambda: metrics.append(LPIPS(net, config.lpips_weights, device).metric()))
    if backend is not None:
        attempt("NME", lambda: metrics.extend(LandmarkNME(build_backend(backend, config.landmarks_weights)).metrics()))
    if config.identity is not None:
        attempt("identity cosine", lambda: metrics.append(Identity(config).metric()))
    if weights is not None:
        attempt("FID", lambda: fid.append(FID(inception(weights, device))))
    metrics.sort(key=lambda metric: (metric.place, metric.key))
    return Chosen(tuple(metrics), fid[0] if fid else None, tuple(left_out))
