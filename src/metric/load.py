"""Finds all metrics of this folder: each module's `METRICS`. A new file needs no entry elsewhere."""

import functools
import importlib
import pkgutil

import src.metric
from src.metric.metric import Metric


@functools.cache
def all_metrics() -> tuple[Metric, ...]:
    """Every metric, in the order of the columns."""
    modules = [
        importlib.import_module(f"src.metric.{found.name}") for found in pkgutil.iter_modules(src.metric.__path__)
    ]
    metrics: list[Metric] = [metric for module in modules for metric in getattr(module, "METRICS", ())]
    return tuple(sorted(metrics, key=lambda metric: (metric.place, metric.key)))
