"""The circuit breaker: when it opens, who may try, when it closes; the clock is the test's."""

import pytest

from serving.breaker import FAILURES, STATES, Breaker

PAUSE = 10.0


class Clocked:
    """A breaker whose time passes when it is told to."""

    def __init__(self):
        self.now = 0.0
        self.breaker = Breaker(PAUSE, lambda: self.now)

    def opened(self):
        for _ in range(FAILURES):
            assert self.breaker.lets()
            self.breaker.told(False)
        return self.breaker


@pytest.fixture
def clocked():
    return Clocked()


def test_it_opens_after_failures_in_a_row_and_no_sooner(clocked):
    breaker = clocked.breaker
    for answered in [False] * (FAILURES - 1) + [True] + [False] * (FAILURES - 1):
        breaker.told(answered)
        assert (breaker.state(), breaker.lets()) == ("closed", True)
    breaker.told(False)
    assert (breaker.state(), breaker.lets()) == ("open", False)


def test_after_a_pause_one_tries_and_closes_it(clocked):
    breaker = clocked.opened()
    clocked.now = PAUSE - 0.1
    assert not breaker.lets()
    clocked.now = PAUSE
    assert [breaker.lets() for _ in range(3)] == [True, False, False]
    assert breaker.state() == "half-open"
    breaker.told(True)
    assert (breaker.state(), breaker.lets(), breaker.lets()) == ("closed", True, True)


def test_one_that_tries_in_vain_opens_it_for_another_pause(clocked):
    breaker = clocked.opened()
    clocked.now = PAUSE
    assert breaker.lets()
    clocked.now += 1
    breaker.told(False)
    assert (breaker.state(), breaker.lets()) == ("open", False)
    clocked.now += PAUSE - 0.1
    assert not breaker.lets()
    clocked.now += 0.1
    assert breaker.lets()


def test_one_that_asked_before_it_opened_and_is_answered_after_closes_it(clocked):
    breaker = clocked.opened()
    breaker.told(True)
    assert breaker.state() == "closed"


def test_its_states_are_those_that_are_told_of(clocked):
    seen = [clocked.breaker.state(), clocked.opened().state()]
    clocked.now = PAUSE
    clocked.breaker.lets()
    assert {*seen, clocked.breaker.state()} == set(STATES)
