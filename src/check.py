"""`python -m src.check`: compose and check every configuration that the project ships."""

import sys

from omegaconf import OmegaConf

from src.config.compose import compose
from src.config.overrides import CONF, options
from src.evaluation.config import EvaluateConfig
from src.exporting.config import ExportConfig
from src.preparation.config import PrepareConfig
from src.system.command_line import EXIT_USER_ERROR
from src.system.console import show_everything
from src.system.errors import UserError
from src.training.config import TrainConfig

STORES = ["data.train=[train]", "data.val=[val]"]
NEEDS = {"model=stn0": ["loss.alignment=1", "loss.adversarial.weight=0"]}
"""The overrides without which a choice does not fit the defaults of the other groups."""


def uncommented_keys() -> list[str]:
    """`file:line` of every key with a value but no comment, outside of experiment and debug files."""
    found = []
    for path in sorted(CONF.rglob("*.yaml")):
        if path.relative_to(CONF).parts[0] in ("experiment", "debug"):
            continue  # overrides; the key's own file explains it
        for number, line in enumerate(path.read_text(encoding="utf-8").partition("\nhydra:")[0].splitlines(), 1):
            key, colon, value = line.partition(":")
            if colon and value.strip() and "#" not in value and not key.lstrip().startswith(("#", "-")):
                found.append(f"{path.relative_to(CONF)}:{number}")
    return found


def required(group: str, option: str) -> list[str]:
    """Overrides that give a value to every key for which a group's file has none (`key: ???`)."""
    keys = OmegaConf.missing_keys(OmegaConf.load(CONF / group / f"{option}.yaml"))
    return [f"{group}.{key}=x" for key in sorted(keys)]


def main() -> None:
    """Print the first mistake and exit with 2, or print that every file is right."""
    show_everything()
    try:
        for experiment in options("experiment"):
            compose("train", TrainConfig, [f"experiment={experiment}", *STORES])
        for group in ("data", "model", "loss", "optimizer", "trainer", "logger", "callbacks", "debug", "sweep"):
            for option in options(group):
                choice = f"{group}={option}"
                compose("train", TrainConfig, [choice, *NEEDS.get(choice, []), *STORES])
        for source in options("source"):
            compose("prepare", PrepareConfig, [f"source={source}", *required("source", source)])
        for group in ("landmarks", "crop"):
            for option in options(group):
                compose("prepare", PrepareConfig, [f"{group}={option}"])
        for protocol in options("protocol"):
            compose("evaluate", EvaluateConfig, [f"protocol={protocol}", "checkpoint=x", "data.test=[x]"])
        compose("evaluate", EvaluateConfig, ["checkpoint=x", "data.test=[x]"])
        compose("export", ExportConfig, ["checkpoint=x", "out=x.onnx"])
        silent = uncommented_keys()
        if silent:
            raise UserError(f"{silent[0]}: this key has no comment; add its meaning and range")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    print("configuration: every file composes and fits its schema")


if __name__ == "__main__":
    main()
