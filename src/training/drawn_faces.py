"""Drawing the synthetic faces that a run asks for, before it trains, where they are not there yet."""

import logging
import time
from pathlib import Path

from src.data.config import DataConfig
from src.preparation.config import PrepareConfig
from src.preparation.run import run_preparation
from src.source.config import SyntheticSource
from src.store.card import CARD
from src.system.errors import UserError
from src.system.processes import first_process

log = logging.getLogger(__name__)

PATIENCE = 3600  # seconds for another process to draw the faces that a run asks for


def draw_missing_faces(config: DataConfig) -> None:
    """Make those stores of a run that `data.synthetic` describes: the first process draws, the others wait.

    Raises:
        UserError: the stores cannot be written, hold other faces than asked for, or do not appear within an hour.
    """
    synthetic = config.synthetic
    if synthetic is None:
        return
    named = [Path(path) for path in (*config.train, *config.val)]
    asked = [path for path in named if Path(synthetic.out) in path.parents]
    if not asked:
        return
    if not first_process():
        _wait_for(asked)
        return
    source = SyntheticSource(name="synthetic", train=synthetic.train, val=synthetic.val, seed=synthetic.seed)
    try:
        run_preparation(PrepareConfig(source=source, out=synthetic.out), log.info)
    except UserError as error:
        raise UserError(
            f"data.synthetic: {error}. From a training: data.synthetic.out=ANOTHER_FOLDER, or delete {synthetic.out}"
        ) from None


def _wait_for(stores: list[Path]) -> None:
    """Until another process has published these stores; a store is there whole or not at all."""
    since = time.monotonic()
    for path in stores:
        while not (path / CARD).exists():
            if time.monotonic() - since > PATIENCE:
                raise UserError(
                    f"{path} is not there after an hour of waiting for process 0 to draw it: make data-synthetic "
                    "first, on every machine where they share no disk"
                )
            time.sleep(0.2)
