"""Loads methods by name or file; the only list of all methods."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from src.method.aligned import ALIGN, Align, BehindAligner, BehindKnown, LoadedAligner
from src.method.bicubic import Bicubic, BicubicAligned
from src.method.dictionary import load_dictionary
from src.method.method import Method, Runtime, ToldTransform
from src.method.network import load_network
from src.model.checkpoint import Weights
from src.model.hub import PREFIX, pull
from src.model.single import SUFFIX as SINGLE
from src.model.single import is_single
from src.system.errors import UserError

WORDS = ("bicubic", "bicubic_aligned")
"""The methods that have a name; all others are files."""


def load_method(named: str, device: torch.device, weights: Weights = "auto", runtime: Runtime = "torch") -> Method:
    """The method of a name or of a file.

    Args:
        named: one of `WORDS`, a file or folder of `load_file`, or `hub:OWNER/NAME`, see `pull`.
        device: where a network computes.
        weights: which of the checkpoint's weights.
        runtime: what computes a trained network.

    Raises:
        UserError: no method or file is called so, or the file is refused.
    """
    match named:
        case "bicubic":
            return Bicubic()
        case "bicubic_aligned":
            return BicubicAligned()
    if not Path(named).exists() and "/" not in named and "." not in named:
        raise UserError(f"no method is called '{named}': give a checkpoint file, or one of {', '.join(WORDS)}")
    path = pull(named) if named.startswith(PREFIX) else Path(named)
    return load_file(path, device, weights, runtime)


def load_file(path: Path, device: torch.device, weights: Weights = "auto", runtime: Runtime = "torch") -> Method:
    """The method of a file, or of a release's folder.

    Args:
        path: of a dictionary (`.safetensors`), or one of `load_network`.
        device: where a network computes.
        weights: which of the checkpoint's weights.
        runtime: what computes a trained network.

    Raises:
        UserError: the function for its kind refuses the file.
    """
    if path.suffix == SINGLE and not is_single(path):
        return load_dictionary(path, device)
    return load_network(path, device, weights, runtime)


def load_methods(
    named: Sequence[str],
    device: torch.device,
    weights: Weights = "auto",
    checkpoint: str | None = None,
    align: Align = "none",
    aligner: str | None = None,
    runtime: Runtime = "torch",
) -> list[Method]:
    """Several methods, with names and titles that distinguish them.

    Args:
        named: words of `WORDS`, or files of `load_file`; each may end in `@none`, `@stn0` or `@known`, which goes
            before `align`.
        device: where a network computes.
        weights: which of a checkpoint's weights.
        checkpoint: one more, which must be a file.
        align: what aligns the inputs of the methods whose names do not say; a `ToldTransform` stays as it is.
        aligner: the checkpoint of STN0, for `stn0`.
        runtime: what computes trained networks.

    Raises:
        UserError: a method or the aligner cannot be loaded, or no aligner was given.
    """
    words = [split_align(word) for word in named]
    kinds = [kind or align for _, kind in words] + ([] if checkpoint is None else [align])
    stn0 = _aligner(aligner, device, weights) if "stn0" in kinds else None
    methods = [load_method(name, device, weights, runtime) for name, _ in words]
    for word, (_, kind), method in zip(named, words, methods, strict=True):
        if kind in ("stn0", "known") and isinstance(method, ToldTransform):
            raise UserError(f"{word}: {method.name} is given the known transform already; leave out @{kind}")
    if checkpoint is not None:
        methods.append(load_file(Path(checkpoint), device, weights, runtime))
    methods = [_behind(method, kind, stn0) for method, kind in zip(methods, kinds, strict=True)]
    _distinguish(methods, [*named, *([] if checkpoint is None else [checkpoint])])
    return methods


def split_align(word: str) -> tuple[str, Align | None]:
    """`NAME@stn0` as NAME and stn0; None where a name does not say, or is the name of a file as it stands.

    Raises:
        UserError: what follows the @ is not one of `ALIGN`, though what stands before it is a method.
    """
    name, at, last = word.rpartition("@")
    if not at or Path(word).exists():
        return word, None
    for kind in ALIGN:
        if last == kind:
            return name, kind
    if name in WORDS or Path(name).exists():
        raise UserError(f"{word}: nothing that aligns is called '{last}'; there are {', '.join(ALIGN)}")
    return word, None


def _aligner(path: str | None, device: torch.device, weights: Weights) -> LoadedAligner:
    if path is None:
        raise UserError(
            "align=stn0 needs a trained STN0: train one with experiment=stn0, and add aligner=RUN/checkpoints/last.ckpt"
        )
    return LoadedAligner(Path(path), device, weights)


def _behind(method: Method, kind: Align, stn0: LoadedAligner | None) -> Method:
    if kind == "none" or isinstance(method, ToldTransform):
        return method
    if kind == "known":
        return BehindKnown(method)
    assert stn0 is not None
    return BehindAligner(method, stn0)


def _distinguish(methods: Sequence[Method], words: Sequence[str]) -> None:
    """Give each method a name of its own, and tell those apart by their words that have the same title."""
    titles = Counter(method.title for method in methods)
    taken: set[str] = set()
    for word, method in zip(words, methods, strict=True):
        first, number = method.name, 1
        while method.name in taken:
            number += 1
            method.name = f"{first}_{number}"
        taken.add(method.name)
        if titles[method.title] > 1:
            method.title = f"{method.title} ({word})"
