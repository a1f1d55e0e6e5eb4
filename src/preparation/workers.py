"""Runs the jobs of a preparation in this process or in workers, with the same order and bytes."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context, parent_process
from typing import TypeVar

from src.preparation.faces import Outcome, Recipe, finish
from src.source.photograph import Photo
from src.source.split import Job
from src.system.errors import UserError

# Jobs that go to the landmark network together, whatever the number of workers: the last bits of its output may depend
# on the batch.
CHUNK = 32
LOADED = 4  # photographs in one message when workers only decode; they may be large

Outcomes = Sequence[Outcome]
Result = TypeVar("Result")

_recipe: Recipe | None = None


def resolved(jobs: Sequence[Job], chunks: Iterable[range], recipe: Recipe, workers: int) -> Iterator[list[Outcomes]]:
    """The faces, rejects and remarks of each chunk of jobs, in the order of the chunks whatever the number of workers.

    Only a few chunks are in progress at a time, so memory does not grow with the number of jobs.

    Raises:
        UserError: a worker process died, or the landmark network is not usable.
    """
    if workers == 0:
        for chunk in chunks:
            yield list(finish((jobs[at].load() for at in chunk), recipe))
        return
    light = recipe.landmarker is None or recipe.landmarker.in_workers
    # Spawned, not forked: a fork copies locks that the threads of the progress bar or a network may hold.
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), _start_worker, (recipe if light else replace(recipe, landmarker=None),)
    )
    try:
        if light:
            yield from _in_order(pool, workers, ([jobs[at] for at in chunk] for chunk in chunks))
        else:
            yield from _decoded_beside(pool, workers, jobs, chunks, recipe)
    except BrokenProcessPool:
        raise UserError(
            f"a worker process died (killed, or out of memory); finished parts are kept: run the same command again, "
            f"with workers={workers // 2} if memory was short"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, workers: int, chunks: Iterable[list[Job]]) -> Iterator[list[Outcomes]]:
    under_way: deque[Future[list[Outcomes]]] = deque()
    for chunk in chunks:
        under_way.append(_submit(pool, _resolve, chunk))
        if len(under_way) > 2 * workers:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _decoded_beside(
    pool: ProcessPoolExecutor, workers: int, jobs: Sequence[Job], chunks: Iterable[range], recipe: Recipe
) -> Iterator[list[Outcomes]]:
    """Workers decode ahead; the network, which uses the whole machine, runs here."""
    waiting, under_way = iter(chunks), deque[deque[Future[list[Photo | Outcomes]]]]()

    def fill() -> None:
        while sum(map(len, under_way)) <= 2 * workers:
            chunk = next(waiting, None)
            if chunk is None:
                return
            pieces = (chunk[at : at + LOADED] for at in range(0, len(chunk), LOADED))
            under_way.append(deque(_submit(pool, _load, [jobs[at] for at in piece]) for piece in pieces))

    def loaded() -> Iterator[Photo | Outcomes]:
        while under_way[0]:
            yield from under_way[0].popleft().result()
            fill()

    fill()
    while under_way:
        done = list(finish(loaded(), recipe))
        under_way.popleft()
        fill()
        yield done


def _submit(pool: ProcessPoolExecutor, call: Callable[[list[Job]], Result], jobs: list[Job]) -> "Future[Result]":
    """Hand out work with SIGINT blocked, so that a worker process that starts here inherits the block.

    Otherwise Ctrl-C would reach workers in the middle of their imports, and each would print a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(call, jobs)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(recipe: Recipe) -> None:
    global _recipe
    _recipe = recipe
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """Exit when the parent ends: a worker whose parent was killed would wait for work forever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _resolve(jobs: list[Job]) -> list[Outcomes]:
    assert _recipe is not None
    return list(finish((job.load() for job in jobs), _recipe))


def _load(jobs: list[Job]) -> list[Photo | Outcomes]:
    return [job.load() for job in jobs]
