"""What is written about an answer, and what is not."""

import json

from serving.logs import About, Answered, Logs, part_hash

KEY = b"k" * 32
PART = "310478717"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_line_each(tmp_path):
    logs = Logs(str(tmp_path / "access"), str(tmp_path / "audit"), KEY)
    answer = Answered("id-1", "GET", "krav", 200, None, "bank", "zstd", 123, 0.0015)
    logs.answered(answer, About(PART, "finans", "2026-01-01/2026-12-31", "2026-11-23-0001"))
    logs.answered(Answered("id-2", "GET", "unknown", 404, "KB-003"), None)
    logs.flush()
    first, second = lines(tmp_path / "access")
    (audit,) = lines(tmp_path / "audit")
    time = first.pop("time")
    assert first == {
        "log": "access",
        "korrelasjonsid": "id-1",
        "method": "GET",
        "route": "krav",
        "status": 200,
        "kode": None,
        "consumer": "bank",
        "coding": "zstd",
        "bytes": 123,
        "ms": 1.5,
    }
    assert audit == {
        "log": "audit",
        "time": time,
        "korrelasjonsid": "id-1",
        "method": "GET",
        "route": "krav",
        "status": 200,
        "kode": None,
        "consumer": "bank",
        "part": part_hash(KEY, PART),
        "rettighetspakke": "finans",
        "period": "2026-01-01/2026-12-31",
        "snapshot": "2026-11-23-0001",
    }
    assert (second["kode"], second["consumer"], second["coding"]) == ("KB-003", None, None)


def test_a_part_goes_by_its_keyed_hash():
    assert part_hash(KEY, PART) == part_hash(KEY, PART)
    assert part_hash(KEY, PART) != part_hash(b"x" * 32, PART)
    assert part_hash(KEY, PART) != part_hash(KEY, PART[::-1])
    assert PART not in part_hash(KEY, PART)


def test_two_workers_in_one_file(tmp_path):
    both = [Logs(str(tmp_path / "access"), "", KEY) for _ in range(2)]
    for number in range(100):
        both[number % 2].answered(Answered(f"id-{number}", "GET"), None)
        both[number % 3 % 2].flush()
    for logs in both:
        logs.flush()
    assert len({line["korrelasjonsid"] for line in lines(tmp_path / "access")}) == 100
