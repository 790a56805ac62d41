"""The room that is kept for telling that the disk is full."""

import errno
import os

import pytest

from transforms.home import ballast


def test_it_takes_the_room_that_it_keeps(tmp_path):
    ballast.lay(tmp_path / "home")
    assert (tmp_path / "home" / ".ballast").stat().st_blocks * 512 >= ballast.BALLAST_BYTES
    assert len(list((tmp_path / "home").iterdir())) == 1


def test_the_new_one_is_laid_before_the_old_one_is_gone(tmp_path, monkeypatch):
    """Else a full disk would have room for it again and again, and a night none."""
    ballast.lay(tmp_path)
    allocate, lay_there = os.posix_fallocate, []
    monkeypatch.setattr(
        os, "posix_fallocate", lambda *file: lay_there.append((tmp_path / ".ballast").stat().st_size) or allocate(*file)
    )
    ballast.lay(tmp_path)
    assert lay_there == [ballast.BALLAST_BYTES]


def test_where_there_is_no_room_for_it_what_there_was_is_let_go_of(tmp_path, monkeypatch):
    ballast.lay(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}'"):
        ballast.lay(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_night_may_let_go_of_it_while_it_is_laid(tmp_path, monkeypatch):
    """One that fails takes all there is; this one goes on without, and nothing is left lying there."""
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: ballast.let_go(tmp_path))
    ballast.lay(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_night_has_left_half_laid_goes(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", lambda *_: 1 / 0)  # as a kill, nothing is tidied up
        with pytest.raises(ZeroDivisionError):
            ballast.lay(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    ballast.lay(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".ballast"]


def test_two_nights_may_lay_it_at_once(tmp_path, monkeypatch):
    allocate = os.posix_fallocate

    def while_another_does(*file):
        monkeypatch.setattr(os, "posix_fallocate", allocate)
        ballast.lay(tmp_path)
        allocate(*file)

    monkeypatch.setattr(os, "posix_fallocate", while_another_does)
    ballast.lay(tmp_path)
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [(".ballast", ballast.BALLAST_BYTES)]


def test_there_may_be_none_to_let_go_of(tmp_path):
    ballast.let_go(tmp_path)
    ballast.let_go(tmp_path / "none")
