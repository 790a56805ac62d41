"""Writing buckets: an error on the way is an error, not a crash, and whoever writes has ended before files close."""

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet
import pytest

from transforms.spread import buckets


def batch(rows):
    texts = pa.array([f"{row}-{'x' * 80}" for row in range(rows)])
    return pa.record_batch({"post": texts, "bucket": pa.array([row % 4 for row in range(rows)], pa.int32())})


def spread(rows, out):
    with ThreadPoolExecutor(2) as pool:
        buckets._spread(rows, out, pool)


def test_rows_lie_in_their_buckets(tmp_path):
    spread(iter([batch(10), batch(3)]), tmp_path)
    rows = {int(path.parent.name.partition("=")[2]): path for path in tmp_path.glob("*/0.parquet")}
    assert {bucket: pa.parquet.read_table(path).num_rows for bucket, path in rows.items()} == {0: 4, 1: 4, 2: 3, 3: 2}


def test_rows_that_end_in_an_error(tmp_path):
    def failing():
        yield batch(200_000)
        raise RuntimeError("no memory")

    for run in range(3):
        with pytest.raises(RuntimeError, match="no memory"):
            spread(failing(), tmp_path / str(run))


def test_a_file_that_cannot_be_written(tmp_path, monkeypatch):
    write, calls = pyarrow.parquet.ParquetWriter.write_table, []

    def full(self, table):
        calls.append(table)
        if len(calls) == 2:
            raise OSError("no space")
        write(self, table)

    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_table", full)
    for run in range(3):
        calls.clear()
        with pytest.raises(OSError, match="no space"):
            spread(iter([batch(200_000), batch(200_000)]), tmp_path / str(run))
