"""The night's documents in PySpark, local mode: ``python -m bench.pyspark_night INBOX OUT DATE [MEMORY]``.

Spark SQL, every post made a struct, ``collect_list`` and ``to_json`` (which leaves nulls out by itself). Rows come
from a shuffle in any order, so each list is sorted by the keys put first in its structs, and those dropped again.
Leaves ``OUT/<kind>.parquet/`` (``part``, ``document``), zstd. Needs Java 17 or later.
"""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from bench.inbox import KINDS, KRAVTYPER, RATES, ZSTD_LEVELS, delivered

SQL = Path(__file__).with_suffix(".sql")
PERSISTED = ("forfall", "krav_sum", "krav_struct", "innbetaling_struct")
"""What more than one kind of document is made of: kept, on disk where memory is short."""


def session(out: Path, memory: str) -> SparkSession:
    """Two cores, at most 32 shuffle partitions (adaptive execution joins small ones), no web UI."""
    return (
        SparkSession.builder.master("local[2]")
        .appName("night")
        .config("spark.driver.memory", memory)
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.local.dir", str(out / "spill"))
        .config("spark.sql.warehouse.dir", str(out / "warehouse"))
        .config("spark.sql.shuffle.partitions", "32")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )


def write_documents(inbox: Path, out: Path, snapshot_date: str, memory: str = "10g") -> None:
    """Writes all documents; ``memory`` is the JVM's heap."""
    out.mkdir(parents=True)
    spark = session(out, memory)
    try:
        for table, files in delivered(inbox).items():
            spark.read.parquet(*files).createOrReplaceTempView(table)
        spark.read.csv(str(RATES), header=True, schema="fra_dato date, sats decimal(9,2)").createOrReplaceTempView(
            "rates"
        )
        spark.read.csv(
            str(KRAVTYPER),
            header=True,
            escape='"',
            schema="kravtype string, tekst string, kravgruppe string, renteberegnes boolean",
        ).createOrReplaceTempView("kravtyper")
        views = SQL.read_text("utf-8").strip().removesuffix(";").replace(":snapshot_date", f"DATE '{snapshot_date}'")
        for statement in views.split(";\n"):
            name, _, query = statement.partition(" AS\n")
            view = name.split()[-1]
            frame = spark.sql(query)
            (frame.persist() if view in PERSISTED else frame).createOrReplaceTempView(view)
        for kind in KINDS:
            level = {"parquet.compression.codec.zstd.level": str(ZSTD_LEVELS[kind])}
            spark.table(f"dokument_{kind}").write.options(**level).parquet(str(out / f"{kind}.parquet"))
    finally:
        spark.stop()


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
