"""Any text for any key gives a configuration or one line; what a person typed for a path arrives as it is."""

import re

from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from src.config.compose import compose
from src.config.keys import dotted_keys
from src.config.overrides import read_overrides
from src.evaluation.config import EvaluateConfig
from src.preparation.config import PrepareConfig
from src.system.errors import UserError
from src.training.config import TrainConfig
from tests.helpers.fuzzing import result_or_line

SPECIAL = st.sampled_from(
    [*"()[]{}:=,'\"\\$#&%~+-@!?*. \t\n", "${", "null", "é", "照", "\udce9", "1e3", "choice(", "a"]
)
TYPED = st.one_of(
    st.lists(SPECIAL, max_size=12).map("".join), st.text(st.characters(exclude_characters="\0"), max_size=12)
)
COMMANDS = (
    ("train", TrainConfig, ["data.train=[a]", "data.val=[a]"]),
    ("evaluate", EvaluateConfig, ["data.test=[a]", "checkpoint=a.ckpt"]),
    ("prepare", PrepareConfig, ["source=folder", "source.root=a", "out=b"]),
)
PATHS = ("run_dir", "resume", "name", "data.train", "data.val")
OWN_WORDS = re.compile(
    r"\?\?\?|null|(?i:null)|.*\$\{.*|~(/.*)?|.*\\[\\()\[\]{}:=, \t].*|(['\"]).*\2|\w+\(.*", re.DOTALL
)
"""What Hydra, or a shell, takes for something else than a path; also quotes around it."""


@given(st.sampled_from(COMMANDS), st.data())
def test_any_text_for_any_key(command: tuple[str, type, list[str]], data: st.DataObject) -> None:
    config, schema, words = command
    groups = ["experiment", "model", "source", "landmarks", "crop", "protocol", "trainer", "optimizer"]
    key = data.draw(st.one_of(st.sampled_from(sorted(dotted_keys(schema))), st.sampled_from(groups), TYPED))
    word = data.draw(st.sampled_from(["", "+", "++", "~"])) + key + "=" + data.draw(TYPED)
    found = result_or_line(lambda: compose(config, schema, [*words, word]))
    assert isinstance(found, schema | UserError)


@given(st.lists(TYPED, max_size=3))
def test_any_words(words: list[str]) -> None:
    for sweep in ([], ["-m"]):
        once = result_or_line(lambda sweep=sweep: read_overrides([*sweep, *words], TrainConfig))
        assert isinstance(once, UserError) or read_overrides(once, TrainConfig) == once


@given(TYPED, st.sampled_from(["run_dir", "resume", "name", "hydra.sweep.dir"]))
@example("a\\", "name")
def test_a_path_arrives_as_it_was_typed(typed: str, key: str) -> None:
    assume(typed and not OWN_WORDS.fullmatch(typed))
    (word,) = read_overrides([f"{key}={typed}"], TrainConfig)
    assert _meant(word) == typed


@given(st.lists(TYPED, min_size=1, max_size=3))
def test_the_paths_of_a_list_arrive_as_they_were_typed(typed: list[str]) -> None:
    for one in typed:
        assume(one == one.strip() and one and not OWN_WORDS.fullmatch(one))
        assume(not set(one) & set(",'\"()[]{}\\"))  # they separate, quote and nest the items of a list
    (word,) = read_overrides([f"data.train=[{','.join(typed)}]"], TrainConfig)
    assert _meant(word) == typed


def _meant(word: str) -> object:
    """What Hydra and OmegaConf make of the value."""
    return OmegaConf.create({"value": OverridesParser.create().parse_override(word).value()}).value
