"""iBUG's annotated pictures, a `.pts` per face: 68 points (300-W, AFW, HELEN, LFPW, IBUG) or 39 (Menpo's profiles)."""

from pathlib import Path

from src.source.config import IbugSource
from src.source.listing import digest, list_pictures
from src.source.pairs import pts_jobs
from src.source.split import Split
from src.system.errors import UserError


def ibug_splits(source: IbugSource, landmarks: str = "auto") -> list[Split]:
    """One split without a name: the annotated faces below `source.root`, in the order of their pictures' names.

    With a network as `landmarks`, the annotated points only say where the faces are, so its detector is skipped.
    """
    root = Path(source.root)
    listing = list_pictures(root)
    if not listing.points:
        raise UserError(
            f"source.root={root}: {len(listing.pictures)} pictures, but no .pts file; put one iBUG .pts per face "
            f"beside them (NAME.pts, or NAME_1.pts, NAME_2.pts), or use source=folder, which finds faces by a detector"
        )
    jobs = listing.complete(pts_jobs(listing.pictures, listing.points, root))
    return [
        Split(
            name="",
            jobs=jobs,
            settings={"source": source.name, "source.root": digest(jobs)},
            description={"name": source.name, "files": len(jobs), "faces": sum(job.faces for job in jobs)},
            annotated=landmarks in ("auto", "annotations"),
        )
    ]
