"""`@command`: a Hydra entry point whose configuration is a checked, typed dataclass."""

import functools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from src.config.keys import check_keys
from src.config.overrides import CONF, FLAGS, read_overrides
from src.config.stamp import run_stamp
from src.sweep.job import FOLDER, JobFailed, run_as_job
from src.system.command_line import EXIT_USER_ERROR
from src.system.console import show_everything
from src.system.errors import UserError, shortened
from src.system.extras import extras_named, missing_plugin

# One stamp per launch: DDP's child processes inherit it, so all of them use the same run folder.
STAMP = "MTUN_RUN_STAMP"
EXIT_FAILED_JOBS = 1

Schema = TypeVar("Schema")


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
        context = first.get("ctx", {})
        if "error" in context:
            message = str(context["error"])
        elif first["type"] == "union_tag_invalid":
            message = f"no choice is called '{context['tag']}'; there are {context['expected_tags']}"
        elif first["type"] == "missing":
            message = f"'{first['loc'][-1]}' is missing: leave out the ~ or =null that took it away"
        else:
            message = f"{first['msg']} (it is {shortened(repr(first['input']))})"
        raise UserError(f"{key or 'configuration'}: {message}") from None


def in_a_line(error: HydraException | OmegaConfBaseException) -> UserError:
    """Hydra's message about overrides and groups as one line, without its advice to append unknown keys."""
    text = str(error) or str(error.__context__ or "") or type(error).__name__
    key = re.match(r"Could not override '([^']+)'", text)
    if key:
        group = key[1].rsplit(".", 1)[0]
        # Hydra first composes a sweep without the swept overrides, so an experiment's choices are missing.
        hint = f"; in a sweep over experiments give the choice too, {group}=..." if {*FLAGS} & {*sys.argv} else ""
        return UserError(f"'{key[1]}' belongs to another choice of {group} than this run's{hint}")
    option = re.search(r"Could not find '([^']+)'", text)
    choices = re.search(r"Available options in '[^']+':\n((?:\t.*\n?)+)", text)
    if option and (missing := missing_plugin(option[1])):
        return missing
    if option and choices:
        return UserError(f"there is no {option[1]}; there are {', '.join(choices[1].split())}")
    line = " ".join(text.split())
    return UserError(line if isinstance(error, HydraException) else f"the configuration does not resolve: {line}")


def _path_words(values: Any) -> set[Any]:
    """Every key and list position in a tree; other words in pydantic's error location name variants of a union."""
    if isinstance(values, dict):
        return set(values).union(*(_path_words(value) for value in values.values()))
    if isinstance(values, list):
        return set(range(len(values)))
    return set()


class _EntryPoint(Generic[Schema]):
    """One command: it checks the command line, composes the configuration, and runs the task or a sweep of tasks.

    Args:
        task: gets the checked configuration; its result is the value that `sweep=optuna` maximises.
        config_name: name of the file in conf/.
        schema: the dataclass of the whole configuration.
        after_sweep: see `command`.
    """

    def __init__(
        self,
        task: Callable[[Schema], float | None],
        config_name: str,
        schema: type[Schema],
        after_sweep: Callable[[Path, str], int] | None,
    ) -> None:
        self.task, self.config_name, self.schema, self.after_sweep = task, config_name, schema, after_sweep
        self.stamp = ""

    def __call__(self) -> None:
        """Run the command line; every mistake that a person can mend ends in one line and an exit code."""
        show_everything()
        self.stamp = os.environ.setdefault(STAMP, run_stamp())
        os.environ.pop(FOLDER, None)
        # Hydra's own report of a mistake has many lines; with this setting it raises, and `in_a_line` reports it.
        os.environ.setdefault("HYDRA_FULL_ERROR", "1")
        self._guarded(self._check)
        self._guarded(self._launch)

    def _check(self) -> None:
        words = read_overrides(sys.argv[1:], self.schema)
        # Hydra refuses overrides on both sides of a flag.
        sys.argv[1:] = sorted(words, key=lambda word: word not in FLAGS)

    def _launch(self) -> None:
        """Let Hydra compose and run; after a sweep, count its failed jobs, however it ended."""

        def run(config: DictConfig) -> float | None:
            return self._run(config)

        run.__module__ = "__main__"
        failed, problem = 0, None
        try:
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=self.config_name)(run)()
        except (HydraException, OmegaConfBaseException) as error:
            raise in_a_line(error) from None
        except Exception as error:
            problem = error
        finally:
            folder = os.environ.pop(FOLDER, None)
            if self.after_sweep is not None and folder is not None:
                failed = self.after_sweep(Path(folder), self.stamp)
        if failed:
            if problem is not None and not isinstance(problem, JobFailed):  # a killed job, for example
                words = " ".join(f"{type(problem).__name__}: {problem}".split())
                print(f"error: the launcher ended with {words[:500]}", file=sys.stderr, flush=True)
            raise JobFailed(f"{failed} jobs")
        if problem is not None:
            raise problem

    def _run(self, config: DictConfig) -> float | None:
        """The task, alone or as one job of a sweep."""

        def run_task() -> float | None:
            return self.task(validated(config, self.schema))

        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return run_as_job(config, run_task, self.stamp, self.after_sweep is not None)
        self._guarded(run_task)
        return None

    @staticmethod
    def _guarded(step: Callable[[], object]) -> None:
        try:
            with extras_named():
                step()
        except UserError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(EXIT_USER_ERROR)
        except JobFailed:
            sys.exit(EXIT_FAILED_JOBS)
        except KeyboardInterrupt:
            sys.exit(130)


def command(
    config_name: str, schema: type[Schema], after_sweep: Callable[[Path, str], int] | None = None
) -> Callable[[Callable[[Schema], float | None]], Callable[[], None]]:
    """Turn `main(config)` into an entry point that composes `conf/<config_name>.yaml` into a `schema`.

    It prints a UserError, or a missing extra, as one line and exits with 2; Ctrl-C ends it without a traceback. The
    result of the task is the value that `sweep=optuna` maximises. If a job of a sweep fails, the others still run, and
    the exit code is 1.

    Args:
        config_name: name of the file in conf/.
        schema: the dataclass of the whole configuration.
        after_sweep: called at the end of a sweep, however it ended, with its folder and the stamp of this launch;
            returns the number of failed jobs.
    """

    def decorate(task: Callable[[Schema], float | None]) -> Callable[[], None]:
        entry = _EntryPoint(task, config_name, schema, after_sweep)

        @functools.wraps(task)
        def main() -> None:
            entry()

        return main

    return decorate
