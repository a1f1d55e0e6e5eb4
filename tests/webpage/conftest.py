"""One page for all tests that only ask it something."""

from collections.abc import Iterator

import pytest

from tests.helpers.page_server import Served, served


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("page")) as found:
        yield found
