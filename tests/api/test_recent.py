"""What is cached, and what goes."""

from serving.recent import OVERHEAD, Recent

ROOM = 1000 - OVERHEAD
"""What an entry of a thousand bytes holds."""


def test_what_was_not_used_for_longest_goes_first():
    recent = Recent(16_000)
    for key in range(16):
        recent.add(key, str(key), ROOM)
    assert recent.get(0) == "0"
    recent.add(16, "16", ROOM)
    assert [key for key in range(17) if recent.get(key) is None] == [1]


def test_what_would_push_much_out_is_not_cached():
    recent = Recent(16_000)
    recent.add("large", "large", ROOM + 1)
    assert recent.get("large") is None


def test_many_small_ones_are_bounded_too():
    recent = Recent(16_000)
    for key in range(1000):
        recent.add(key, "", 0)
    assert sum(recent.get(key) is not None for key in range(1000)) == 16_000 // OVERHEAD
