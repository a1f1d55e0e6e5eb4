"""Counts the weights of a network and splits them into groups for the optimiser."""

from torch import nn


def parameter_count(network: nn.Module) -> int:
    """Trainable and frozen parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def groups_without(network: nn.Module, part: nn.Module | None) -> list[list[nn.Parameter]]:
    """A network's weights outside one part, then those of the part; an empty group is left out.

    Args:
        network: the whole network.
        part: a module inside it, or None.
    """
    apart = [] if part is None else list(part.parameters())
    known = {id(parameter) for parameter in apart}
    others = [parameter for parameter in network.parameters() if id(parameter) not in known]
    return [group for group in (others, apart) if group]
