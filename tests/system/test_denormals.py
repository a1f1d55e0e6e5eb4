import numpy as np

from src.system.denormals import are_zero, counted_as_zero


def test_they_count_as_zero_inside_alone() -> None:
    """A library that leaves them at zero changes the numbers of whoever uses it."""
    tiny = np.array([1e-39], np.float32)
    assert not are_zero()
    with counted_as_zero():
        assert are_zero()
        assert (tiny * np.float32(0.5))[0] == 0
        with counted_as_zero():
            pass
        assert are_zero(), "the inner one leaves the outer one's"
    assert not are_zero()
    assert (tiny * np.float32(0.5))[0] != 0
