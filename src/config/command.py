"""`@command`: a Hydra entry point whose configuration is a checked, typed dataclass."""

import functools
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from src.config.keys import check_keys, dotted_keys, unknown_key
from src.errors import UserError

CONF = Path(__file__).resolve().parents[2] / "conf"
# One stamp for a whole launch: DDP's children inherit it, so all of them find the same run folder.
STAMP = "MTUN_RUN_STAMP"
EXIT_USER_ERROR = 2

Schema = TypeVar("Schema")


def check_overrides(overrides: list[str], schema: type) -> None:
    """Raise a UserError for an override on the command line whose key the schema does not have.

    Hydra would refuse `key=` by itself but accept `+key=`; here both name the nearest valid key. Groups
    (`experiment=demo`) and Hydra's own keys are left to Hydra, which lists the options of a group.
    """
    known = set(dotted_keys(schema))
    for text in overrides:
        if text.startswith("-") or not ("=" in text or text.startswith("~")):
            continue  # a flag or its value: Hydra's own
        try:
            override = OverridesParser.create().parse_override(text)
        except HydraException:
            raise UserError(
                f"'{text}' is not an override: write key=value, and quote lists: 'data.train=[a,b]'"
            ) from None
        key = override.key_or_group
        if key in known or key.split("/")[0].split(".")[0] == "hydra" or (CONF / key).is_dir():
            continue
        raise unknown_key(key, schema)


def validated(config: DictConfig, schema: type[Schema]) -> Schema:
    """The composed configuration as an instance of `schema`; UserError names the key that does not fit."""
    missing = sorted(str(key) for key in OmegaConf.missing_keys(config))
    if missing:
        raise UserError(f"'{missing[0]}' has no value: add {missing[0]}=... to the command")
    try:
        values = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    except OmegaConfBaseException as error:
        raise UserError(f"the configuration does not resolve: {str(error).splitlines()[0]}") from None
    check_keys(values, schema)
    try:
        return TypeAdapter(schema, config=None).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part in _path_words(values))
        cause = first.get("ctx", {}).get("error")
        message = str(cause) if cause is not None else f"{first['msg']} (it is {first['input']!r})"
        raise UserError(f"{key or 'configuration'}: {message}") from None


def _in_a_line(error: HydraException) -> UserError:
    """Hydra's message about overrides and groups, in one line and without its advice to append unknown keys."""
    text = str(error)
    key = re.match(r"Could not override '([^']+)'", text)
    if key:
        return UserError(f"'{key[1]}' belongs to another choice of {key[1].rsplit('.', 1)[0]} than this run's")
    option = re.search(r"Could not find '([^']+)'", text)
    choices = re.search(r"Available options in '[^']+':\n((?:\t.*\n?)+)", text)
    if option and choices:
        return UserError(f"there is no {option[1]}; there are {', '.join(choices[1].split())}")
    return UserError(" ".join(text.split()))


def _path_words(values: Any) -> set[Any]:
    """Every key and list position in a tree: what of pydantic's error location is ours (the rest names variants)."""
    if isinstance(values, dict):
        return set(values).union(*(_path_words(value) for value in values.values()))
    if isinstance(values, list):
        return set(range(len(values)))
    return set()


def command(config_name: str, schema: type[Schema]) -> Callable[[Callable[[Schema], None]], Callable[[], None]]:
    """Turn `main(config)` into an entry point that composes `conf/<config_name>.yaml` and hands over a `schema`.

    A UserError, from the configuration or from the task, is printed as one line and exits with 2; Ctrl-C ends it
    without a traceback.
    """

    def decorate(task: Callable[[Schema], None]) -> Callable[[], None]:
        def guarded(step: Callable[[], None]) -> None:
            try:
                step()
            except UserError as error:
                print(f"error: {error}", file=sys.stderr, flush=True)
                sys.exit(EXIT_USER_ERROR)
            except KeyboardInterrupt:
                sys.exit(130)

        @functools.wraps(task)
        def main() -> None:
            os.environ.setdefault(STAMP, time.strftime("%Y-%m-%d_%H-%M-%S"))
            guarded(lambda: check_overrides(sys.argv[1:], schema))

            def run(config: DictConfig) -> None:
                if HydraConfig.get().mode == RunMode.MULTIRUN and "run_dir" in config:
                    config.run_dir = HydraConfig.get().runtime.output_dir  # a folder a job
                guarded(lambda: task(validated(config, schema)))

            def launch() -> None:
                try:
                    hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(run)()
                except HydraException as error:
                    raise _in_a_line(error) from None
                except OmegaConfBaseException as error:
                    raise UserError(f"the configuration does not resolve: {' '.join(str(error).split())}") from None

            run.__module__ = "__main__"
            # Hydra's own report of a mistake spans many lines; with this it raises, and we say it in one.
            os.environ.setdefault("HYDRA_FULL_ERROR", "1")
            guarded(launch)

        return main

    return decorate
