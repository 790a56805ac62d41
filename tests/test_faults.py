"""``make fault-test`` on a smaller inbox."""

import pytest

from tests.faults_at_scale import FAULTS, try_faults

pytestmark = pytest.mark.slow


def test_the_right_parts_are_held_back_and_nobody_else_notices(tmp_path):
    held, published = try_faults(tmp_path, parts=120)
    assert len(FAULTS) + 1 > 20
    assert held > 20
    assert published > 80
