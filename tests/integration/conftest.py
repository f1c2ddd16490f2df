"""What integration tests share."""

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Give the folder in which the tiny model of the engine `diffusers` is built, once."""
    return tmp_path_factory.mktemp("models")
