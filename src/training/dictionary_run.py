"""The run of a method that is a dictionary: one pass over the training faces, one file in the run folder."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from src.data.module import open_stores
from src.method.dictionary import DictionaryConfig, made, planned
from src.method.dictionary_file import FILE, BadDictionary, DictionaryCard, read_card, write_dictionary
from src.system.errors import UserError
from src.system.plain import differing, to_plain
from src.system.processes import first_process
from src.system.progress import FaceProgress
from src.system.revision import revision
from src.training.config import TrainConfig
from src.training.drawn_faces import draw_missing_faces
from src.training.resume import save_config
from src.training.run_log import LOG, log_to

log = logging.getLogger(__name__)

KEYS = ("name", "seed", "run_dir", "method")
DATA_KEYS = ("train", "synthetic", "misalignment", "degradation", "camera", "own_size")
"""What a dictionary depends on; `config.yaml` holds these keys alone."""


def make_dictionary(config: TrainConfig, method: DictionaryConfig, run_dir: Path) -> Path:
    """Make the dictionary of a run, unless it is there already; return its path.

    Raises:
        UserError: a store is missing, the folder holds another run, or it cannot be written.
    """
    path = run_dir / FILE
    draw_missing_faces(config.data)
    stores = open_stores(config.data.train, "data.train")
    card = planned(method, config.data, stores, config.name, config.seed)
    if not first_process():
        return path
    remark = _there(path, card)
    if remark is None:
        log.info("the dictionary of %d faces is there already: %s", card.faces, path)
        return path
    if (run_dir / "checkpoints").exists():
        raise UserError(f"{run_dir} holds a training: choose another run_dir")
    save_config(run_dir, _relevant(config))
    log_to(run_dir / LOG)
    if remark:
        log.info("%s", remark)
    log.info("%s: %d of %d training faces", method.name, card.faces, len(stores))
    log.info("revision %s", revision())
    with FaceProgress(method.name, card.faces) as progress:
        dictionary = made(method, config.data, stores, card, progress.advance)
    try:
        write_dictionary(path, dictionary)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error}); free some space, or choose another run_dir") from error
    log.info("dictionary: %s (%.1f MB)", path, path.stat().st_size / 1e6)
    return path


def _there(path: Path, card: DictionaryCard) -> str | None:
    """None if the dictionary of this card is there; else a line for the log, or nothing, on why it must be made.

    Raises:
        UserError: another dictionary is there.
    """
    if not path.exists():
        return ""
    try:
        before = read_card(path)
    except BadDictionary as error:
        return f"made again: {error}"
    changed = differing(asdict(before), asdict(card), free=())
    if changed:
        raise UserError(
            f"{path} was made of something else ({', '.join(changed)} differ): choose another run_dir, or delete it"
        )
    return None


def _relevant(config: TrainConfig) -> dict[str, Any]:
    values = to_plain(config)
    return {**{key: values[key] for key in KEYS}, "data": {key: values["data"][key] for key in DATA_KEYS}}
