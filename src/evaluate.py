"""`python -m src.evaluate checkpoint=FILE data.test='[DIR]' out=DIR`: measure methods, write the report."""

import sys
from collections.abc import Iterable
from pathlib import Path

from src.config.command import command
from src.evaluation.config import EvaluateConfig
from src.evaluation.run import evaluate
from src.evaluation.show import print_table, show, tell_written
from src.evaluation.shown_faces import show_faces
from src.evaluation.sweep_jobs import evaluate_jobs, job_methods, sweep_jobs
from src.evaluation.write import check_out, write_results
from src.method.load import load_methods
from src.method.method import Method
from src.metric.choose import choose_metrics
from src.report.ablation import ablate, ablation_table
from src.store.read import FaceStores
from src.system.devices import pick_device
from src.system.errors import UserError


def out_folder(config: EvaluateConfig) -> Path:
    """The folder of the report."""
    if config.out is not None:
        return Path(config.out)
    if config.run is not None:
        return Path(config.run) / "evaluation"
    if config.checkpoint is None:
        raise UserError("'out' has no value: with method= add out=DIR, the report's folder")
    checkpoint = Path(config.checkpoint)
    return checkpoint.parent / f"{checkpoint.stem}_evaluation"


@command(config_name="evaluate", schema=EvaluateConfig)
def main(config: EvaluateConfig) -> None:
    """Evaluate, write the report, print the tables."""
    out = out_folder(config)
    jobs = None if config.run is None else sweep_jobs(Path(config.run), config.reference)
    check_out(out)
    test = config.data.test or (jobs.stores if jobs else ())
    if not test:
        raise UserError("data.test is empty: name at least one store, as in data.test='[data/lfw/val]'")
    stores = FaceStores(test)
    device = pick_device(config.device)
    chosen = choose_metrics(config.metrics, device)
    for line in chosen.left_out:
        sys.stderr.write(f"warning: left out: {line}\n")
    ablation = None
    if jobs is not None:
        evaluation = evaluate_jobs(jobs, stores, config, device, chosen)
        ablation = ablate(evaluation.rows, jobs.experiments, jobs.reference)
        methods: Iterable[Method] = job_methods(jobs, device, config.weights)
    else:
        loaded = load_methods(
            config.named, device, config.weights, config.checkpoint, config.align, config.aligner, config.runtime
        )
        methods = loaded
        evaluation = evaluate(
            loaded, stores, config.protocol, device, config.batch_size, config.faces, config.grid_faces, chosen=chosen
        )  # fmt: skip
    shown = show_faces(methods, stores, config, device, evaluation.rows)
    written = write_results(out, evaluation, ablation, shown)
    show(evaluation)
    if ablation is not None:
        print_table(ablation_table(ablation, evaluation.protocol), f"differences to {ablation.reference}")
    tell_written(written)


if __name__ == "__main__":
    main()
