"""Resolving jobs, in this process or in several, always in their order."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from src.data.face import BadFace, Face
from src.data.sources import Job
from src.errors import UserError

CHUNK = 16  # jobs a message: about 0.8 MB of faces


def resolved(jobs: Sequence[Job], workers: int) -> Iterator[list[Face | BadFace]]:
    """What each job gives, in the order of the jobs whatever the number of workers.

    Only a few chunks are under way at a time, so memory does not grow with the number of jobs.

    Raises:
        UserError: a worker process died.
    """
    if workers == 0:
        for job in jobs:
            yield job.resolve()
        return
    # Spawned, not forked: a fork copies the progress bar's thread's locks.
    pool = ProcessPoolExecutor(workers, get_context("spawn"))
    under_way: deque[Future[list[list[Face | BadFace]]]] = deque()
    try:
        for start in range(0, len(jobs), CHUNK):
            under_way.append(
                pool.submit(_resolve_all, [jobs[at] for at in range(start, min(start + CHUNK, len(jobs)))])
            )
            if len(under_way) > 2 * workers:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
    except BrokenProcessPool:
        raise UserError(
            f"a worker process died (killed, or out of memory); run the same command again, with workers="
            f"{workers // 2} if memory was short"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _resolve_all(jobs: list[Job]) -> list[list[Face | BadFace]]:
    return [job.resolve() for job in jobs]
