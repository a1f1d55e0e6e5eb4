"""The tables of an evaluation as rows of words, header first, for the report and the terminal."""

from collections.abc import Mapping, Sequence
from typing import Final

from src.report.bins import Binning
from src.report.paired import Difference
from src.report.protocol import Protocol
from src.report.scores import FaceScores, Mean, Summary, columns_of, summarise

MOST_COMPONENTS: Final = 8  # with more maps (68) the report gives only their mean
SMALL: Final = 0.001  # a smaller p-value is shown as such


def by_store(rows: Sequence[FaceScores]) -> dict[str, list[FaceScores]]:
    """The rows of each store, in the order of their first face."""
    stores: dict[str, list[FaceScores]] = {}
    for row in rows:
        stores.setdefault(row.store, []).append(row)
    return stores


def table(
    rows: Sequence[FaceScores], protocol: Protocol, intervals: bool = False, aside: bool = False
) -> list[list[str]]:
    """The table of the whole-face metrics, header first: one row per method, a dash where it has no score.

    Args:
        rows: the faces.
        protocol: with the methods and the metrics.
        intervals: each mean is followed by its interval.
        aside: the variants that stand in a second table; empty if there are none.
    """
    summary = summarise(rows)
    columns = [metric for metric in columns_of(protocol.metrics, rows) if metric.aside == aside]
    sets = [] if aside else list(dict.fromkeys(name for scores in protocol.sets.values() for name in scores))
    lines = [["method", *(metric.head for metric in columns), *sets]]
    for name, card in protocol.methods.items():
        means = summary.methods[name].whole
        cells = [number(means.get(metric.key), metric.decimals, intervals) for metric in columns]
        figures = [protocol.sets.get(name, {}).get(figure) for figure in sets]
        lines.append([card.title, *cells, *("-" if figure is None else f"{figure:.2f}" for figure in figures)])
    return lines if columns else []


def bin_table(rows: Sequence[FaceScores], protocol: Protocol, binning: Binning, key: str) -> list[list[str]]:
    """A metric's mean in each bin of faces, header first; empty if no face has a bin or no method the metric."""
    metric = next((metric for metric in columns_of(protocol.metrics, rows) if metric.key == key), None)
    bins = binning.sort(rows)
    if metric is None or not bins:
        return []
    summaries = [summarise(mine) for mine in bins.values()]
    lines = [["method", "metric", *(f"{name} ({len(mine):,} faces)" for name, mine in bins.items())]]
    for method, card in protocol.methods.items():
        means = [summary.methods[method].whole.get(key) for summary in summaries]
        if any(means):
            lines.append([card.title, metric.head, *(number(mean, metric.decimals, True) for mean in means)])
    return lines


def difference_table(found: Sequence[Difference], protocol: Protocol) -> list[list[str]]:
    """Differences in the main metrics, header first: one row per method; empty if there is none."""
    metrics = [metric for metric in protocol.metrics if metric.compared and not metric.aside]
    metrics = [metric for metric in metrics if any(one.metric == metric.key for one in found)]
    lines = [["method", *(metric.head for metric in metrics)]]
    for method in dict.fromkeys(one.method for one in found):
        mine = {one.metric: one for one in found if one.method == method}
        cells = [difference(mine.get(metric.key), metric.decimals) for metric in metrics]
        lines.append([protocol.methods[method].title, *cells])
    return lines if found else []


def difference(value: Difference | None, decimals: int) -> str:
    """A difference as text with its interval and p-value; a dash if there is none."""
    if value is None or value.mean is None:
        return "-"
    words = f"{value.mean:+.{decimals}f}"
    if value.low is None or value.high is None or value.p is None:
        return words
    p = f"p {value.p:.3f}" if value.p >= SMALL else f"p < {SMALL}"
    return f"{words} [{value.low:+.{decimals}f}, {value.high:+.{decimals}f}], {p}"


def identical(rows: Sequence[FaceScores], protocol: Protocol) -> list[str]:
    """A sentence for each method some of whose images are identical to the HR image."""
    summary, found = summarise(rows), []
    for name, card in protocol.methods.items():
        mean = summary.methods[name].whole.get("psnr_rgb")
        if mean and (count := mean.infinite):
            found.append(f"{card.title}: {count:,} images are identical to HR, and in no mean of PSNR.")
    return found


def component_table(rows: Sequence[FaceScores], protocol: Protocol) -> list[list[str]]:
    """The table of the metrics by component, head first; empty if no method has any.

    Methods may estimate different components: each has its own column, and a dash where a method lacks it. A method of
    more than 8 components has the mean over them alone.
    """
    summary = summarise(rows)
    measured = [
        (card.title, metric, means)
        for (name, card) in protocol.methods.items()
        for metric in protocol.metrics
        if (means := summary.methods[name].components.get(metric.key)) is not None
    ]
    few = [means for _, _, means in measured if len(means) <= MOST_COMPONENTS]
    names = list(dict.fromkeys(component for means in few for component in means))
    lines = []
    for title, metric, means in measured:
        shown = means if len(means) <= MOST_COMPONENTS else {}
        values = [number(shown.get(component), metric.decimals) for component in names]
        lines.append([title, metric.head, *values, mean_words(means, metric.decimals)])
    return [["method", "metric", *names, "mean of components"], *lines] if lines else []


def number(value: Mean | None, decimals: int, interval: bool = False) -> str:
    """A mean as text, with its interval if asked for; a dash if nothing was measured."""
    if value is None or value.mean is None:
        return "-"
    if not interval or value.low is None or value.high is None:
        return f"{value.mean:.{decimals}f}"
    return f"{value.mean:.{decimals}f} [{value.low:.{decimals}f}, {value.high:.{decimals}f}]"


def gains(rows: Sequence[FaceScores], protocol: Protocol) -> list[str]:
    """One sentence per trained method: its gain over the best of the others; empty if either kind is missing.

    A gain above 0 is an improvement, also where lower values are better.
    """
    summary = summarise(rows)
    sentences = []
    for name, (over, differences) in gains_over(summary, protocol).items():
        known = {metric.key: metric for metric in protocol.metrics}
        words = ", ".join(
            f"{known[key].title} {value:+.{known[key].decimals}f} {known[key].unit}".rstrip()
            for key, value in differences.items()
            if known[key].compared and not known[key].aside
        )
        titles = protocol.methods
        sentences.append(f"Gain of {titles[name].title} over the better reference ({titles[over].title}): {words}.")
    return sentences


def mean_words(means: Mapping[str, Mean], decimals: int) -> str:
    """The mean of the components' means, with equal weights."""
    known = [value.mean for value in means.values() if value.mean is not None]
    return f"{sum(known) / len(known):.{decimals}f}" if known else "-"


def gains_over(summary: Summary, protocol: Protocol) -> dict[str, tuple[str, dict[str, float]]]:
    """Trained method -> (the reference, metric -> how much better the method's mean is than the reference's)."""
    over = summary.best(name for name, card in protocol.methods.items() if not card.trained)
    if over is None:
        return {}
    found = {}
    for name, card in protocol.methods.items():
        if not card.trained:
            continue
        differences = {}
        for metric in protocol.metrics:
            mine, theirs = summary.mean(name, metric.key), summary.mean(over, metric.key)
            if mine is not None and theirs is not None:
                differences[metric.key] = mine - theirs if metric.higher_is_better else theirs - mine
        found[name] = (over, differences)
    return found
