"""What a metric is: one figure of every face, or one of every component of it, with the protocol of its measurement."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import Tensor

from src.data.batch import Pairs
from src.model.output import Upscaled

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Judged:
    """What one method made of a batch, beside the truth: all that a metric may look at.

    Attributes:
        output: of the method.
        pairs: the batch. Its heatmaps may be None: they are of one network's shape.
        kernel_std: standard deviation of the kernels that the method's heatmaps estimate, in pixels of the HR image.
    """

    output: Upscaled
    pairs: Pairs
    kernel_std: float = 3.0
    _known: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, compute: Callable[["Judged"], Found]) -> Found:
        """`compute(self)`, computed once however many metrics ask for it."""
        if compute not in self._known:
            self._known[compute] = compute(self)
        found: Found = self._known[compute]
        return found


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        key: of its column in files and logs, a word.
        title: of its column in tables.
        unit: of its figures, behind the title; "" for none.
        decimals: that tables show.
        protocol: sentences that say how it is measured, for the report.
        measure: (B,) of a batch, or (B, M) for a metric by component; None where the method has nothing to measure.
        by_component: one figure a facial component, in the order of `COMPONENTS`; NaN where it has no true value.
        higher_is_better: the direction of an improvement.
        in_validation: measured at each validation of a training too.
        place: its place among the columns; metrics of one place follow one another by their key.
    """

    key: str
    title: str
    unit: str
    decimals: int
    protocol: str
    measure: Callable[[Judged], Tensor | None]
    by_component: bool = False
    higher_is_better: bool = True
    in_validation: bool = False
    place: int = 100

    @property
    def head(self) -> str:
        """The title with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


def score(judged: Judged, metrics: Iterable[Metric]) -> dict[str, Tensor]:
    """Every metric that applies to what a method made of a batch, by key: (B,), or (B, M) by component."""
    measured = {metric.key: metric.measure(judged) for metric in metrics}
    return {key: values for key, values in measured.items() if values is not None}
