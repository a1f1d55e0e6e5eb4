"""`report.md`: the tables with intervals, the methods and the protocol in words."""

from collections.abc import Mapping, Sequence
from typing import Final

from src.report.ablation import ABLATION_WORDS, Ablation, ablation_table
from src.report.bins import BINNINGS
from src.report.paired import differences
from src.report.protocol import MethodCard, Protocol, inputs_words, protocol_words
from src.report.scores import FaceScores, summarise
from src.report.table import bin_table, by_store, component_table, difference_table, gains, identical, table

FILES: Final = (
    "`metrics.csv` has one row per face",
    "`metrics.json` means, intervals and paired differences",
    "`grid.png` some faces",
)
BINNED: Final = ("psnr_rgb", "nme_percent")
"""The metrics that the report shows bin by bin; `metrics.json` has all."""


def report_md(
    rows: Sequence[FaceScores], protocol: Protocol, ablation: Ablation | None = None, files: Sequence[str] = FILES
) -> str:
    """The file's text: the tables (one per store if there are several) and the protocol in words.

    Args:
        rows: the faces.
        protocol: all that the scores depend on.
        ablation: the differences of a sweep's experiments to the full model, if it is one.
        files: what stands beside the report.
    """
    stores = by_store(rows)
    lines = ["# Evaluation", ""]
    lines += _section(rows, protocol, f"All {len(rows):,} faces" if len(stores) > 1 else f"{len(rows):,} faces")
    if len(stores) > 1:
        for store, mine in stores.items():
            lines += _section(mine, protocol, f"`{store}`: {len(mine):,} faces")
    if ablation is not None:
        lines += [f"## Ablation: differences to {ablation.reference}", ""]
        lines += [*_markdown(ablation_table(ablation, protocol), left=1), "", ABLATION_WORDS, ""]
    lines += _comparison(rows, protocol)
    for binning in BINNINGS:
        for key in BINNED:
            found = bin_table(rows, protocol, binning, key)
            if found:
                title = next(metric.title for metric in protocol.metrics if metric.key == key)
                lines += [f"## {binning.title}: {title}", "", f"Bins: {binning.unit}.", ""]
                lines += [*_markdown(found, left=2), ""]
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
        "; ".join(files) + ".",
    ]
    return "\n".join(lines) + "\n"


def _section(rows: Sequence[FaceScores], protocol: Protocol, title: str) -> list[str]:
    lines = [f"## {title}", "", *_markdown(table(rows, protocol, intervals=True), left=1), ""]
    for sentence in gains(rows, protocol):
        lines += [sentence, ""]
    for sentence in identical(rows, protocol):
        lines += [sentence, ""]
    for found, left in ((component_table(rows, protocol), 2), (table(rows, protocol, True, aside=True), 1)):
        if found:
            lines += [*_markdown(found, left), ""]
    return lines


def _comparison(rows: Sequence[FaceScores], protocol: Protocol) -> list[str]:
    """The differences of every method to the best one."""
    base = summarise(rows).best(protocol.methods)
    if base is None or len(protocol.methods) < 2:
        return []
    found = differences(rows, [(name, base) for name in protocol.methods if name != base])
    title = f"## Differences to {protocol.methods[base].title}, the method of the highest mean PSNR"
    return [title, "", *_markdown(difference_table(found, protocol), left=1), ""]


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
