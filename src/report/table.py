"""The report of an evaluation: `report.md`, `metrics.json` and the tables for the terminal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from src.report.protocol import MethodCard, Protocol, inputs_words, protocol_words
from src.report.scores import FaceScores, Mean, Summary, columns_of, summarise

MOST_COMPONENTS: Final = 8  # with more maps (68) the report gives only their mean


def metrics_json(rows: Sequence[FaceScores], protocol: Protocol) -> str:
    """`metrics.json`: the means over all faces and per store, with everything they depend on."""
    values = {
        **_plain(summarise(rows), protocol),
        "stores": {store: _plain(summarise(mine), protocol) for store, mine in by_store(rows).items()},
        "data": [dict(store) for store in protocol.stores],
        "protocol": {
            "name": protocol.name,
            **protocol.misalignment,
            "words": protocol_words(protocol, rows),
        },
        "about": {name: {"title": card.title, **card.facts} for name, card in protocol.methods.items()},
        "device": protocol.device,
    }
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def report_md(rows: Sequence[FaceScores], protocol: Protocol) -> str:
    """`report.md`: the tables (one per store if there are several) and the protocol in words."""
    stores = by_store(rows)
    lines = ["# Evaluation", ""]
    lines += _section(rows, protocol, f"All {len(rows):,} faces" if len(stores) > 1 else f"{len(rows):,} faces")
    if len(stores) > 1:
        for store, mine in stores.items():
            lines += _section(mine, protocol, f"`{store}`: {len(mine):,} faces")
    lines += ["## Methods", "", *(f"- {card.title}: {_facts(card)}." for card in protocol.methods.values()), ""]
    lines += ["## Protocol", "", *(f"- {sentence}" for sentence in protocol_words(protocol, rows))]
    lines += [
        f"- Data: `{data['path']}`, {data['faces']:,} of its {data['faces_in_store']:,} faces, images SHA-256 "
        f"{str(data['images_sha256'])[:16]}."
        for data in protocol.stores
    ]
    lines += [
        f"- Computed on {protocol.device}.",
        "",
        "`metrics.csv` has one row per face, `metrics.json` means and standard deviations, `grid.png` some faces.",
    ]
    return "\n".join(lines) + "\n"


def by_store(rows: Sequence[FaceScores]) -> dict[str, list[FaceScores]]:
    """The rows of each store, in the order of their first face."""
    stores: dict[str, list[FaceScores]] = {}
    for row in rows:
        stores.setdefault(row.store, []).append(row)
    return stores


def table(rows: Sequence[FaceScores], protocol: Protocol) -> list[list[str]]:
    """The table of the whole-face metrics, header first: one row per method, a dash where it has no score."""
    summary, columns = summarise(rows), columns_of(protocol.metrics, rows)
    lines = [["method", *(metric.head for metric in columns)]]
    for name, card in protocol.methods.items():
        means = summary.methods[name].whole
        lines.append([card.title, *(number(means.get(metric.key), metric.decimals) for metric in columns)])
    return lines


def component_table(rows: Sequence[FaceScores], protocol: Protocol) -> list[list[str]]:
    """The table of the metrics by component, head first; empty if no method has any.

    Methods may estimate different components: each has its own column, and a dash where a method lacks it. A method of
    more than 8 components has the mean over them alone.
    """
    measured = [
        (card.title, metric, means)
        for (name, card) in protocol.methods.items()
        for metric in protocol.metrics
        if (means := summarise(rows).methods[name].components.get(metric.key)) is not None
    ]
    few = [means for _, _, means in measured if len(means) <= MOST_COMPONENTS]
    names = list(dict.fromkeys(component for means in few for component in means))
    lines = []
    for title, metric, means in measured:
        shown = means if len(means) <= MOST_COMPONENTS else {}
        values = [number(shown.get(component), metric.decimals) for component in names]
        lines.append([title, metric.head, *values, mean_words(means, metric.decimals)])
    return [["method", "metric", *names, "mean of components"], *lines] if lines else []


def number(value: Mean | None, decimals: int) -> str:
    """A mean as text; a dash if nothing was measured."""
    return "-" if value is None or value.mean is None else f"{value.mean:.{decimals}f}"


def gains(rows: Sequence[FaceScores], protocol: Protocol) -> list[str]:
    """One sentence per trained method: its gain over the best of the others; empty if either kind is missing.

    A gain above 0 is an improvement, also where lower values are better.
    """
    summary = summarise(rows)
    sentences = []
    for name, (over, differences) in _gains(summary, protocol).items():
        known = {metric.key: metric for metric in protocol.metrics}
        words = ", ".join(
            f"{known[key].title} {value:+.{known[key].decimals}f} {known[key].unit}".rstrip()
            for key, value in differences.items()
        )
        titles = protocol.methods
        sentences.append(f"Gain of {titles[name].title} over the better reference ({titles[over].title}): {words}.")
    return sentences


def mean_words(means: Mapping[str, Mean], decimals: int) -> str:
    """The mean of the components' means, with equal weights."""
    known = [value.mean for value in means.values() if value.mean is not None]
    return f"{sum(known) / len(known):.{decimals}f}" if known else "-"


def _gains(summary: Summary, protocol: Protocol) -> dict[str, tuple[str, dict[str, float]]]:
    """Trained method -> (the reference, metric -> how much better the method's mean is than the reference's)."""
    over = summary.best(name for name, card in protocol.methods.items() if not card.trained)
    if over is None:
        return {}
    found = {}
    for name, card in protocol.methods.items():
        if not card.trained:
            continue
        differences = {}
        for metric in protocol.metrics:
            mine, theirs = summary.mean(name, metric.key), summary.mean(over, metric.key)
            if mine is not None and theirs is not None:
                differences[metric.key] = mine - theirs if metric.higher_is_better else theirs - mine
        found[name] = (over, differences)
    return found


def _section(rows: Sequence[FaceScores], protocol: Protocol, title: str) -> list[str]:
    lines = [f"## {title}", "", *_markdown(table(rows, protocol), left=1), ""]
    for sentence in gains(rows, protocol):
        lines += [sentence, ""]
    components = component_table(rows, protocol)
    return [*lines, *_markdown(components, left=2), ""] if components else lines


def _markdown(lines: Sequence[Sequence[str]], left: int) -> list[str]:
    """A Markdown table; its first `left` columns are words, the others numbers."""
    head, *body = lines
    rule = [*["---"] * left, *["---:"] * (len(head) - left)]
    return [f"| {' | '.join(_escaped(word) for word in values)} |" for values in (head, rule, *body)]


def _escaped(word: str) -> str:
    return word.replace("|", "\\|")


def _facts(card: MethodCard) -> str:
    words = {what.replace("_", " "): value for what, value in card.facts.items() if value is not None}
    words = {
        what: f"inputs {inputs_words(value)}" if isinstance(value, Mapping) else value for what, value in words.items()
    }
    return ", ".join(f"{what} {value}" for what, value in words.items()) or "no training"


def _plain(summary: Summary, protocol: Protocol) -> dict[str, Any]:
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
            name: {"over": over, **differences} for name, (over, differences) in _gains(summary, protocol).items()
        },
    }
