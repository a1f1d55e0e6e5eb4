"""The type of a metric: one score per face, or per facial component, and the protocol of its measurement."""

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, Generic, TypeVar

from torch import Tensor

from src.data.batch import Pairs
from src.model.output import Upscaled

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Judged:
    """One method's output for a batch, and the truth: all that a metric may use.

    Attributes:
        output: the method's output.
        pairs: the batch. Its heatmaps may be None: their shape depends on the network.
        kernel_std: standard deviation of the kernels that the method's heatmaps estimate, in pixels of the HR image.
    """

    output: Upscaled
    pairs: Pairs
    kernel_std: float = 3.0
    _known: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, compute: Callable[["Judged"], Found]) -> Found:
        """`compute(self)`, computed once for all metrics that ask for it."""
        if compute not in self._known:
            self._known[compute] = compute(self)
        found: Found = self._known[compute]
        return found


@dataclass(frozen=True)
class MetricCard:
    """What tables and files say of a metric.

    Attributes:
        key: name of its column in files and logs, one word.
        title: name of its column in tables.
        unit: unit of its scores, shown after the title; "" for none.
        decimals: decimals that tables show.
        protocol: sentences that say how it is measured, for the report.
        by_component: one score per facial component, in the order of `COMPONENTS`; NaN where it has no true value.
        higher_is_better: whether a higher score is better.
        place: its place among the columns; metrics with the same place are sorted by key.
        aside: reports show it in a second table.
        compared: methods may differ in it; reports show no differences of the others.
    """

    key: str
    title: str
    unit: str
    decimals: int
    protocol: str
    _: KW_ONLY
    by_component: bool = False
    higher_is_better: bool = True
    place: int = 100
    aside: bool = False
    compared: bool = True

    @property
    def head(self) -> str:
        """The title with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Metric(MetricCard):
    """A metric.

    Attributes:
        measure: gives (B,) for a batch, or (B, M) by component; None if the method has nothing to measure.
        in_validation: whether validation during training measures it too.
    """

    measure: Callable[[Judged], Tensor | None]
    _: KW_ONLY
    in_validation: bool = False

    @property
    def card(self) -> MetricCard:
        """The metric without its computation."""
        return MetricCard(**{one.name: getattr(self, one.name) for one in fields(MetricCard)})


class OncePerBatch(Generic[Found]):
    """A computation on the truth of a batch, done once for all the methods that are judged by it.

    Args:
        compute: the computation.
    """

    def __init__(self, compute: Callable[[Pairs], Found]) -> None:
        self._compute = compute
        self._last: tuple[Pairs, Found] | None = None

    def __call__(self, pairs: Pairs) -> Found:
        """`compute(pairs)`."""
        if self._last is None or self._last[0] is not pairs:
            self._last = (pairs, self._compute(pairs))
        return self._last[1]


def score(judged: Judged, metrics: Iterable[Metric]) -> dict[str, Tensor]:
    """The scores of a batch by metric key, (B,) or (B, M); a metric that does not apply is left out."""
    measured = {metric.key: metric.measure(judged) for metric in metrics}
    return {key: values for key, values in measured.items() if values is not None}
