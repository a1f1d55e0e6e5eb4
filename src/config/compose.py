"""Compose a configuration without the command line: for tests, notebooks and the config check."""

from typing import TypeVar

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from src.config.command import in_a_line, validated
from src.config.overrides import CONF, read_overrides

Schema = TypeVar("Schema")


def compose(config_name: str, schema: type[Schema], overrides: list[str] | None = None) -> Schema:
    """`conf/<config_name>.yaml` with overrides as on the command line, checked and typed as `schema`."""
    words = read_overrides(overrides or [], schema)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            composed = hydra_compose(config_name, words)
        except (HydraException, OmegaConfBaseException) as error:
            raise in_a_line(error) from None
    return validated(composed, schema)
