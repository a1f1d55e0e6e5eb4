"""The card of a released generator: data, training, protocol, numbers, intended use, limits and risks; Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from src.report.bins import BINNINGS
from src.report.protocol import inputs_words, protocol_words, reduction_words
from src.report.read import Written
from src.report.report_md import markdown
from src.report.sections import Table
from src.report.table import bin_table, table
from src.system.errors import UserError

USE: Final = (
    "To enlarge small faces where a plausible face is wanted and everybody knows that it was enlarged: old or distant "
    "photographs, research on super-resolution and alignment, teaching."
)
LIMITS: Final = (
    "**Invented detail is no evidence of who somebody is.** Many faces have the same small picture; the model draws "
    "one that its training makes likely. Never use its output to identify, verify, accuse or describe a person.",
    "It restores faces like those that it was trained on. On others (other ages, skin tones, poses, glasses, hands, "
    "masks, make-up) it errs more, and errs towards the faces that it knows: it may change age, expression, skin tone "
    "or sex.",
    "A face outside the sizes, turns and degradations listed under Training is restored badly, and the output does not "
    "show it.",
    "It must not serve surveillance, face recognition or the forging of evidence. Say beside a picture that it was "
    "restored by a model.",
)
UNKNOWN: Final = "Not known: the publisher has not said."


@dataclass(frozen=True)
class Notes:
    """What the publisher says of a generator; None: not known, and the card says so.

    Attributes:
        name: heading of the card.
        data: the training data and where they come from.
        terms: under which terms the data, and so the weights, may be used.
        license: SPDX identifier of the weights' licence.
        people: what is known of the people in the data: age, skin tone, sex, country.
        use: intended use, in place of the standard words.
        training: how long it was trained, on what.
    """

    name: str | None = None
    data: str | None = None
    terms: str | None = None
    license: str | None = None
    people: str | None = None
    use: str | None = None
    training: str | None = None


@dataclass(frozen=True)
class Measured:
    """An evaluation, and which of its methods the generator is."""

    written: Written
    method: str


def measured(
    written: Written, where: Path, sha256: str, experiment: str | None, iterations: int | None, weights: str
) -> Measured:
    """The evaluation of a generator: the method with its file's hash, else with its experiment, iterations and weights.

    Args:
        written: the evaluation, as read back.
        where: its folder, for the message.
        sha256: of the generator's file.
        experiment: name of its run.
        iterations: training batches that it has seen.
        weights: averaged or raw.

    Raises:
        UserError: none of its methods is this generator.
    """
    mine = {"experiment": experiment, "iterations": iterations, "weights": weights}
    cards = written.protocol.methods
    alone = {name: card for name, card in cards.items() if card.trained and not card.facts.get("align")}
    for name, card in alone.items():
        if card.facts.get("checkpoint_sha256") == sha256:
            return Measured(written, name)
    for name, card in alone.items():
        if iterations is not None and all(card.facts.get(key) == value for key, value in mine.items()):
            return Measured(written, name)
    raise UserError(
        f"evaluations: {where} measured {', '.join(cards)}, none of which is this generator: run src.evaluate with it"
    )


def model_card(
    about: Mapping[str, Any],
    title: str,
    parameters: int,
    notes: Notes,
    evaluations: Sequence[Measured] = (),
    beside: Sequence[str] = (),
) -> str:
    """The text of a card.

    Args:
        about: what the release says of its training, see `src/model/about.py`.
        title: the network's name.
        parameters: their number.
        notes: what the publisher says.
        evaluations: measurements of this generator.
        beside: what it gives beside the face, in words.
    """
    training = about["training"]
    name = notes.name or training.get("name") or title
    head = ["---", "library_name: mtun", "pipeline_tag: image-to-image", "tags: [super-resolution, faces]"]
    head += [f"license: {notes.license}"] * (notes.license is not None)
    lines = [*head, "---", "", f"# {name}", ""]
    sections: dict[str, Sequence[str]] = {
        "What it is": [
            f"{title}, {parameters:,} parameters: {_input(training)} to the upright face of 128x128 pixels"
            f"{', with ' if beside else ''}{' and '.join(beside)}."
        ],
        "Intended use": [notes.use or USE],
        "Limits and risks": [f"- {words}" for words in LIMITS],
        "Data and terms": [
            f"- Training data: {notes.data or UNKNOWN}",
            f"- Terms: {notes.terms or UNKNOWN}",
            f"- People (age, skin tone, sex, country): {notes.people or UNKNOWN}",
        ],
        "Training": [f"- {words}" for words in _training(about, notes)],
    }
    for heading, words in sections.items():
        lines += [f"## {heading}", "", *words, ""]
    lines += ["## Numbers", ""]
    if not evaluations:
        lines += ["Not known: no evaluation was given. `python -m src.evaluate` measures it.", ""]
    for one in evaluations:
        lines += _numbers(one)
    return "\n".join(lines)


def _input(training: Mapping[str, Any]) -> str:
    own = (training.get("data") or {}).get("own_size")
    return f"a face of {own[0]} to {own[1]} pixels" if own else "an unaligned face of 16x16 pixels"


def _training(about: Mapping[str, Any], notes: Notes) -> list[str]:
    training, data = about["training"], about["training"].get("data") or {}
    said = [notes.training] if notes.training else []
    iterations, batch = about["iterations"], data.get("batch_size")
    length = "length not recorded" if iterations is None else f"{iterations:,} batches"
    if iterations is not None and isinstance(batch, int):
        length += f" of {batch}, {iterations * batch:,} faces seen"
    said += [
        f"Experiment `{training.get('name')}`, seed {training.get('seed')}, epoch {about['epoch']}: {length}; "
        f"the weights are {'the moving average' if about['weights'] == 'averaged' else 'those of the last update'}.",
    ]
    try:
        said.append(f"Inputs: {inputs_words(data['misalignment'])}{_made_otherwise(data)}; {reduction_words(data)}.")
    except (KeyError, TypeError, ValueError):
        said.append("Inputs: not recorded.")
    return said


def _made_otherwise(data: Mapping[str, Any]) -> str:
    """What else was done to training faces, and to which share; older runs have not recorded it."""
    shares = {
        "on black": data.get("black_share"),
        "upright already": data.get("upright_share"),
        "averaged with another one": data.get("blend_share"),
    }
    said = [f", a share of {share:g} {which}" for which, share in shares.items() if share]
    if data.get("stretch"):
        said.append(f", each up to {1 + data['stretch']:g} times as wide or narrow for its height")
    return "".join(said)


def _numbers(one: Measured) -> list[str]:
    """The tables of an evaluation: the generator beside the methods that were not trained."""
    rows, protocol = one.written.rows, one.written.protocol
    cards = {name: card for name, card in protocol.methods.items() if name == one.method or not card.trained}
    protocol = replace(protocol, methods=cards)
    lines = [
        f"### Protocol `{protocol.name}`, {len(rows):,} faces",
        "",
        *markdown(Table(table(rows, protocol, True), 1)),
    ]
    for binning in BINNINGS:
        tables = [found for key in binning.metrics if (found := bin_table(rows, protocol, binning, key))]
        if tables:
            together = [tables[0][0], *(line for found in tables for line in found[1:])]
            lines += ["", f"{binning.title} ({binning.unit}):", "", *markdown(Table(together, 2))]
    stores = [f"`{Path(str(store['path'])).name}` ({store['faces']:,} faces)" for store in protocol.stores]
    words = [f"Faces: {', '.join(stores)}.", *protocol_words(protocol, rows)]
    return [*lines, "", *(f"- {word}" for word in words), ""]
