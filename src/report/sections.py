"""The content of a report, section by section, for `report.md` and `report.html`; `code` is marked as in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from src.report.ablation import ABLATION_WORDS, Ablation, ablation_table
from src.report.bins import BINNINGS, OWN_SIZE, Binning
from src.report.calibration import WORDS, calibration_table
from src.report.paired import differences
from src.report.protocol import MethodCard, Protocol, inputs_words, protocol_words
from src.report.scores import FaceScores, summarise
from src.report.table import bin_table, by_store, component_table, difference_table, gains, identical, table


@dataclass(frozen=True)
class Table:
    """A table of words, header first; its first `left` columns are words, the others numbers."""

    lines: Sequence[Sequence[str]]
    left: int


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it, tables and sentences."""

    title: str
    blocks: Sequence[Table | str]


def measured_sections(rows: Sequence[FaceScores], protocol: Protocol, ablation: Ablation | None) -> list[Section]:
    """The scores of all faces and of each store, differences, and bins.

    Args:
        rows: the faces.
        protocol: all that the scores depend on.
        ablation: the differences of a sweep's experiments to the full model, if it is one.
    """
    stores = by_store(rows)
    found = [_scores(rows, protocol, f"All {len(rows):,} faces" if len(stores) > 1 else f"{len(rows):,} faces")]
    if len(stores) > 1:
        found += [_scores(mine, protocol, f"`{store}`: {len(mine):,} faces") for store, mine in stores.items()]
    if ablation is not None:
        title = f"Ablation: differences to {ablation.reference}"
        found.append(Section(title, [Table(ablation_table(ablation, protocol), 1), ABLATION_WORDS]))
    found += _comparison(rows, protocol)
    lines = calibration_table(rows, protocol)
    if lines:
        found.append(Section("Confidence by component", [Table(lines, 2), WORDS]))
    for binning in BINNINGS:
        for title, lines in _bins(rows, protocol, binning):
            found.append(Section(title, [f"Bins: {binning.unit}.", Table(lines, 2)]))
    return found


def by_own_size(rows: Sequence[FaceScores], protocol: Protocol) -> list[tuple[str, list[list[str]]]]:
    """The tables by the faces' own sizes with their titles; empty where the protocol has none."""
    return _bins(rows, protocol, OWN_SIZE)


def _bins(rows: Sequence[FaceScores], protocol: Protocol, binning: Binning) -> list[tuple[str, list[list[str]]]]:
    titles = {metric.key: metric.title for metric in protocol.metrics}
    tables = [(key, bin_table(rows, protocol, binning, key)) for key in binning.metrics]
    return [(f"{binning.title}: {titles[key]}", lines) for key, lines in tables if lines]


def method_sentences(protocol: Protocol) -> list[str]:
    """What is known of each method."""
    return [f"{card.title}: {_facts(card)}." for card in protocol.methods.values()]


def protocol_sentences(rows: Sequence[FaceScores], protocol: Protocol, digits: int = 64) -> list[str]:
    """How the numbers were measured, on what data; the data's hashes have so many digits."""
    return [
        *protocol_words(protocol, rows),
        *(_data(data, digits) for data in protocol.stores),
        f"Computed on {protocol.device}.",
    ]


def _data(data: Mapping[str, str | int], digits: int) -> str:
    hashes = [
        f"{what} SHA-256 {str(data[key])[:digits]}"
        for what, key in (("images", "images_sha256"), ("landmarks", "landmarks_sha256"))
        if key in data
    ]
    return f"Data: `{data['path']}`, {data['faces']:,} of its {data['faces_in_store']:,} faces, {', '.join(hashes)}."


def _scores(rows: Sequence[FaceScores], protocol: Protocol, title: str) -> Section:
    blocks: list[Table | str] = [Table(table(rows, protocol, intervals=True), 1)]
    blocks += [*gains(rows, protocol), *identical(rows, protocol)]
    for lines, left in ((component_table(rows, protocol), 2), (table(rows, protocol, True, aside=True), 1)):
        if lines:
            blocks.append(Table(lines, left))
    return Section(title, blocks)


def _comparison(rows: Sequence[FaceScores], protocol: Protocol) -> list[Section]:
    """The differences of every method to the best one."""
    base = summarise(rows).best(protocol.methods)
    if base is None or len(protocol.methods) < 2:
        return []
    found = differences(rows, [(name, base) for name in protocol.methods if name != base])
    title = f"Differences to {protocol.methods[base].title}, the method of the highest mean PSNR"
    return [Section(title, [Table(difference_table(found, protocol), 1)])]


def _facts(card: MethodCard) -> str:
    words = {what.replace("_", " "): value for what, value in card.facts.items() if value is not None}
    words = {
        what: f"inputs {inputs_words(value)}" if isinstance(value, Mapping) else value for what, value in words.items()
    }
    return ", ".join(f"{what} {value}" for what, value in words.items()) or "no training"
