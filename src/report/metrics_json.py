"""`metrics.json`: means with intervals over all faces, per store and per bin, and everything they depend on."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from src.report.ablation import Ablation
from src.report.bins import BINNINGS
from src.report.intervals import LEVEL, RESAMPLES, SEED
from src.report.paired import all_differences
from src.report.protocol import Protocol, protocol_words
from src.report.scores import FaceScores, Summary, summarise
from src.report.table import by_store, gains_over


def metrics_json(rows: Sequence[FaceScores], protocol: Protocol, ablation: Ablation | None = None) -> str:
    """The file's text; `src/report/read.py` reads it back."""
    values = {
        **_summary(summarise(rows), protocol),
        "stores": {store: _summary(summarise(mine), protocol) for store, mine in by_store(rows).items()},
        "bins": {
            binning.key: {name: _summary(summarise(mine), protocol) for name, mine in binning.sort(rows).items()}
            for binning in BINNINGS
        },
        "paired": [asdict(one) for one in all_differences(rows)],
        "sets": {method: dict(figures) for method, figures in protocol.sets.items()},
        "metrics": {metric.key: asdict(metric) for metric in protocol.metrics},
        "intervals": {"level": LEVEL, "draws": RESAMPLES, "seed": SEED, "over": "faces"},
        "left_out": list(protocol.left_out),
        "data": [dict(store) for store in protocol.stores],
        "protocol": {
            "name": protocol.name,
            **protocol.misalignment,
            "inputs": list(protocol.inputs),
            "sets": list(protocol.set_words),
            "words": protocol_words(protocol, rows),
        },
        "about": {
            name: {"title": card.title, "trained": card.trained, **card.facts}
            for name, card in protocol.methods.items()
        },
        "device": protocol.device,
    }
    if ablation is not None:
        values["ablation"] = asdict(ablation)
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def _summary(summary: Summary, protocol: Protocol) -> dict[str, Any]:
    return {
        "faces": summary.faces,
        "methods": {
            name: {
                **{key: asdict(mean) for key, mean in means.whole.items()},
                **{
                    key: {component: asdict(mean) for component, mean in components.items()}
                    for key, components in means.components.items()
                },
            }
            for name, means in summary.methods.items()
        },
        "gain": {
            name: {"over": over, **differences} for name, (over, differences) in gains_over(summary, protocol).items()
        },
    }
