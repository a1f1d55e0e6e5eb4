"""`report.md`: the tables with intervals, the methods and the protocol in words."""

from collections.abc import Sequence
from typing import Final

from src.report.ablation import Ablation
from src.report.protocol import Protocol
from src.report.scores import FaceScores
from src.report.sections import Table, measured_sections, method_sentences, protocol_sentences

FILES: Final = (
    "`report.html` shows the same with faces, a slider and charts",
    "`metrics.csv` has one row per face",
    "`metrics.json` means, intervals and paired differences",
    "`grid.png` some faces",
    "`charts.png` the charts",
)
DIGITS: Final = 16  # of a hash


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
    lines = ["# Evaluation", ""]
    for section in measured_sections(rows, protocol, ablation):
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            lines += [*(markdown(block) if isinstance(block, Table) else [block]), ""]
    lines += ["## Methods", "", *(f"- {sentence}" for sentence in method_sentences(protocol)), ""]
    lines += ["## Protocol", "", *(f"- {sentence}" for sentence in protocol_sentences(rows, protocol, DIGITS))]
    lines += ["", "; ".join(files) + "."]
    return "\n".join(lines) + "\n"


def markdown(table: Table) -> list[str]:
    """The lines of a table in Markdown."""
    head, *body = table.lines
    rule = [*["---"] * table.left, *["---:"] * (len(head) - table.left)]
    return [f"| {' | '.join(_escaped(word) for word in values)} |" for values in (head, rule, *body)]


def _escaped(word: str) -> str:
    return word.replace("|", "\\|")
