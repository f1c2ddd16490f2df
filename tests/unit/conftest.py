"""What unit tests of manifests stand on."""

import pytest
from support.manifests import Bench


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)
