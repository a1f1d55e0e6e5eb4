"""The card of a release, from its generator, the publisher's words and folders of evaluations."""

from collections.abc import Sequence
from pathlib import Path

from src.method.trained import Trained
from src.model.about import about
from src.model.parameters import parameter_count
from src.report.card import Notes, measured, model_card
from src.report.read import read_results


def card_of(method: Trained, notes: Notes, evaluations: Sequence[str] = ()) -> str:
    """The card's text.

    Raises:
        UserError: an evaluation cannot be read, or measured another generator.
    """
    checkpoint, facts = method.checkpoint, method.facts
    found = [
        measured(
            read_results(Path(folder)), Path(folder), facts.checkpoint_sha256 or "", facts.experiment,
            facts.iterations, checkpoint.weights,
        )
        for folder in evaluations
    ]  # fmt: skip
    title, parameters = checkpoint.config.title, parameter_count(checkpoint.generator)
    config = checkpoint.config
    beside = ["heatmaps of its components"] * (config.heatmap_side is not None)
    beside += ["the transform that turned it upright"] * config.aligns
    return model_card(about(checkpoint), title, parameters, notes, found, beside)
