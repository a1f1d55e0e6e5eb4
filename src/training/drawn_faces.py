"""Draws the synthetic faces that a run asks for, before it trains, if they do not exist yet."""

import logging
import time
from pathlib import Path

from src.data.config import DataConfig
from src.preparation.config import PrepareConfig
from src.preparation.run import run_preparation
from src.source.config import SyntheticSource
from src.store.card import CARD
from src.system.errors import UserError
from src.system.processes import first_process, usable_cores

log = logging.getLogger(__name__)

MANY = 500  # faces from which on starting more processes pays
PATIENCE = 3600  # seconds for another process to draw the faces that a run asks for


def draw_missing_faces(config: DataConfig) -> None:
    """Make the stores of a run that `data.synthetic` describes: the first process draws, the others wait.

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
        cores = usable_cores()
        workers = cores if cores > 1 and synthetic.train + synthetic.val >= MANY else 0
        if workers:
            import numba  # noqa: F401  # where this extra is missing, say so before the workers start
        run_preparation(PrepareConfig(source=source, out=synthetic.out, workers=min(workers, 8)), log.info)
    except UserError as error:
        raise UserError(
            f"data.synthetic: {error}. In a training: set data.synthetic.out=ANOTHER_FOLDER, or delete {synthetic.out}"
        ) from None


def _wait_for(stores: list[Path]) -> None:
    """Wait until another process has published these stores; a store appears complete or not at all."""
    since = time.monotonic()
    for path in stores:
        while not (path / CARD).exists():
            if time.monotonic() - since > PATIENCE:
                raise UserError(
                    f"{path} is missing: process 0 has not drawn it within an hour. Run `make data-synthetic` first, "
                    "on every machine if they share no disk"
                )
            time.sleep(0.2)
