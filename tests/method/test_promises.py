"""What every method promises that a word names."""

import pytest
import torch

from src.method.load import WORDS, load_method
from src.method.method import apply


@pytest.mark.parametrize("word", WORDS)
def test_a_word_names_a_method_that_makes_faces(word: str) -> None:
    method = load_method(word, torch.device("cpu"))
    lr = torch.rand(2, 3, 16, 16) * 2 - 1
    output = apply(method, lr, torch.eye(2, 3).expand(2, 2, 3))
    assert method.name == word
    assert method.title
    assert output.image.shape == (2, 3, 128, 128)
    assert output.image.isfinite().all()
