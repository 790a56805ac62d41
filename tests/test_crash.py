"""A few of the points of ``make crash-test``: a night killed, a full disk, two nights at once."""

import pytest

from tests.crash import Scene, run_night
from transforms.home.lock import HomeInUseError, locked

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return Scene.make(tmp_path_factory.mktemp("crash"), parts=30)


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_killed_and_run_again(scene, share):
    scene.kill_after(scene.bare.run * share)


def test_the_operators_run_is_killed_and_run_again(scene):
    assert scene.kill_after(0, operator=True, line="build") == "build"


@pytest.mark.parametrize("file_bytes", [2_000, 30_000])
def test_full_disk_and_run_again(scene, file_bytes):
    assert scene.fill_disk(file_bytes) != "ended"


def test_the_second_of_two_nights_is_told_who_holds_the_home(tmp_path):
    with locked(tmp_path, "the-first"), pytest.raises(HomeInUseError, match="run the-first, process"):
        run_night(tmp_path, tmp_path, None, "the-second")


def test_a_dead_holders_lock_is_free(tmp_path):
    (tmp_path / ".lock").write_text("run of-a-dead-one, process 1")
    with locked(tmp_path, "next"):
        assert "next" in (tmp_path / ".lock").read_text()
