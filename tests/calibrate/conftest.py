"""The runs of all tests of a fit, read once."""

import pytest
from tests.calibrate import made


@pytest.fixture(scope="session")
def some(tmp_path_factory):
    return made.runs(tmp_path_factory.mktemp("made"))
