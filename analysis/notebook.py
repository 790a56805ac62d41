"""The plots that an analyst starts from, over the published snapshot: a marimo notebook (``make notebook``).

``marimo edit analysis/notebook.py -- --home HOME``. It asks the views only, as any client may: a place to copy from.
"""

import marimo

app = marimo.App(width="medium", app_title="kravoversikt")


@app.cell
def _():
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo

    home = Path(str(mo.cli_args().get("home") or "data/home"))
    connection = duckdb.connect(str((home / "analytics.duckdb").resolve()), read_only=True)
    _names = "SELECT view_name FROM duckdb_views() UNION ALL SELECT table_name FROM duckdb_tables()"
    _names += " UNION ALL SELECT function_name FROM duckdb_functions()"
    there = {name for (name,) in connection.execute(_names).fetchall()}
    """What this database has: views, tables and macros. Earlier programs made fewer."""
    bands = ["ikke forfalt", "1-30", "31-90", "91-180", "181-365", "over 365"]
    return bands, alt, connection, home, mo, there


@app.cell
def _(alt, connection, mo):
    def rows(sql):
        """The answer, a dict a row. Only text and numbers: a plot needs no more, and no data frame."""
        answer = connection.execute(sql)
        names = [name for name, *_ in answer.description]
        return [dict(zip(names, map(plain, row), strict=True)) for row in answer.fetchall()]

    def plain(value):
        return value if value is None or isinstance(value, bool | int | float) else str(value)

    def plot(title, told, found, draw, nothing="Nothing is.", height=220):
        """What ``draw`` makes of an empty chart of what was ``found``, under its title."""
        if not found:
            return mo.md(f"## {title}\n\n{nothing}")
        chart = alt.Chart(alt.Data(values=found), width=500, height=height)
        return mo.vstack([mo.md(f"## {title}\n\n{told}"), draw(chart)])

    def counting(found, by):
        """An axis for how many there are: with no ticks between whole numbers (`tickMinStep` is not heeded)."""
        sums: dict[str, int] = {}
        for row in found:
            sums[row[by]] = sums.get(row[by], 0) + row["antall"]
        return alt.Axis(format="d", tickCount=min(8, max(sums.values(), default=1)))

    mill = alt.X("mill:Q", title="million kroner", axis=alt.Axis(format=",~f"))
    below = alt.Legend(orient="bottom", title=None, labelLimit=260, columns=3)
    return below, counting, mill, plot, rows


@app.cell
def _(home, mo, rows):
    from pathlib import Path as _Path

    _night = rows("SELECT * FROM snapshot")[0]
    _stale = "" if _night["er_publisert"] else "**A later snapshot has been published: restart the notebook.** "
    if _Path(_night["hjem"]).resolve() != home.resolve():
        _stale = "**These are the tables of another home, that this was copied or moved from: run a night.** "
    mo.md(
        f"# The night of {_night['snapshotdato']}\n\n{_stale}{_night['antall_parter']} parts with documents, "
        f"{_night['antall_holdt_tilbake']} held back. `docs/analytics.md` has questions with their SQL."
    )


@app.cell
def _(alt, bands, below, mill, plot, rows):
    _debt = rows("SELECT kravgruppe, aldersgruppe, gjenstaaende_beloep / 1e6 AS mill FROM aldersfordelt()")
    plot(
        "How old is the debt?",
        "What remains of debits, by days overdue.",
        [{**row, "age": bands.index(row["aldersgruppe"])} for row in _debt],
        lambda chart: chart.mark_bar().encode(
            x=mill,
            y=alt.Y("kravgruppe:N", sort="-x", title=None),
            color=alt.Color(
                "aldersgruppe:O", sort=bands, scale=alt.Scale(scheme="yelloworangered", domain=bands), legend=below
            ),
            order=alt.Order("age:Q"),
            tooltip=["kravgruppe:N", "aldersgruppe:O", "mill:Q"],
        ),
    )


@app.cell
def _(alt, below, plot, rows):
    _days = rows(
        """SELECT dager_etter_forfall AS dager, sum(plassert_beloep) / 1e6 AS mill,
                  CASE WHEN dager_etter_forfall > 0 THEN 'late' ELSE 'on time' END AS paid
           FROM innbetaling_mot_forfall WHERE dager_etter_forfall BETWEEN -30 AND 60 GROUP BY ALL ORDER BY dager"""
    )
    plot(
        "When is it paid?",
        "Payments by days after the due date, from 30 before to 60 after.",
        _days,
        lambda chart: chart.mark_bar().encode(
            x=alt.X("dager:O", title="days after the due date", axis=alt.Axis(labelOverlap=True, labelAngle=0)),
            y=alt.Y("mill:Q", title="million kroner"),
            color=alt.Color("paid:N", sort=["on time", "late"], legend=below),
            tooltip=["dager:O", "mill:Q"],
        ),
    )


@app.cell
def _(alt, bands, mill, plot, rows):
    _age = alt.Y("aldersgruppe:O", sort=bands, title="days")
    plot(
        "How long has money waited to be placed?",
        "By days since it was paid, and how many payments.",
        rows("SELECT aldersgruppe, antall, uplassert_beloep / 1e6 AS mill FROM uplassert_etter_alder()"),
        lambda chart: (
            chart.mark_bar().encode(x=mill, y=_age)
            + chart.mark_text(align="left", dx=4).encode(x=mill, y=_age, text="antall:Q")
        ),
        nothing="All is placed.",
        height=180,
    )


@app.cell
def _(alt, below, counting, plot, rows):
    _refused = rows("SELECT kilde, kode, count(*) AS antall FROM avvist GROUP BY ALL ORDER BY ALL")
    plot(
        "What is refused tonight?",
        "Rows, by reason and source.",
        _refused,
        lambda chart: chart.mark_bar().encode(
            x=alt.X("antall:Q", title="rows", axis=counting(_refused, "kode")),
            y=alt.Y("kode:N", title=None, axis=alt.Axis(labelLimit=260)),
            color=alt.Color("kilde:N", legend=below),
        ),
        height=alt.Step(24),
    )


@app.cell
def _(alt, below, plot, rows, there):
    _steps = ["aapning", "nye", "endret", "borte", "renter", "lukning"]
    _sums = ", ".join(f"coalesce(sum({step}), 0)::DOUBLE / 1e6 AS {step}" for step in _steps)
    _first = "saldobro" not in there or rows("SELECT forrige FROM snapshot")[0]["forrige"] is None
    _names = dict(zip(_steps, ["night before", "new", "changed", "gone", "interest", "this night"], strict=True))
    _bridge, _until = [], 0.0
    for _step, _mill in rows(f"SELECT {_sums} FROM saldobro()")[0].items() if not _first else ():
        _whole = _step in ("aapning", "lukning")
        _from, _until = (0.0, _mill) if _whole else (_until, _until + _mill)
        _kind = "balance" if _whole else "more" if _mill > 0 else "less"
        _told = f"{_mill:,.3f}" if _whole else f"{_mill:+,.3f}"
        _bridge.append({"step": _names[_step], "from": _from, "to": _until, "kind": _kind, "told": _told})
    _ends = [row["to"] for row in _bridge]
    _span = (max(_ends) - min(_ends) if _ends else 0) or 1
    _least = min(_ends, default=0) - _span / 4
    for _row in _bridge:
        _row["from"] = _least if _row["kind"] == "balance" else _row["from"]
        _row["top"] = max(_row["from"], _row["to"])
    _x = alt.X("step:N", sort=list(_names.values()), title=None, axis=alt.Axis(labelAngle=0))
    plot(
        "What has changed since last night?",
        "From that night's balance to this one's. The axis does not begin at 0: the steps would not be seen.",
        _bridge,
        lambda chart: (
            chart.mark_bar(clip=True).encode(
                x=_x,
                y=alt.Y(
                    "from:Q",
                    title="million kroner",
                    scale=alt.Scale(domain=[_least, max(_ends) + _span / 4], nice=False),
                ),
                y2="to:Q",
                color=alt.Color("kind:N", legend=below, sort=["balance", "more", "less"]),
            )
            + chart.mark_text(dy=-8).encode(x=_x, y=alt.Y("top:Q"), text="told:N")
        ),
        nothing="This is the first night.",
    )


@app.cell
def _(alt, below, counting, plot, rows, there):
    _asked = "SELECT snapshotdato, kode, sum(antall)::BIGINT AS antall FROM historikk_avvist GROUP BY ALL ORDER BY ALL"
    _refused = rows(_asked) if "historikk_avvist" in there else []
    _nights = rows("SELECT DISTINCT snapshotdato FROM historikk ORDER BY ALL") if _refused else []
    _days = sorted({row["snapshotdato"] for row in (*_nights, *_refused)})
    plot(
        "Refusals over the nights",
        "Rows, and reasons of deliveries refused whole; a night without a bar has none.",
        _refused,
        lambda chart: chart.mark_bar().encode(
            x=alt.X(
                "snapshotdato:O",
                title=None,
                scale=alt.Scale(domain=_days),
                axis=alt.Axis(labelAngle=0, labelOverlap=True),
            ),
            y=alt.Y("antall:Q", title="refused", axis=counting(_refused, "snapshotdato")),
            color=alt.Color("kode:N", legend=below),
        ),
        nothing="None are on record.",
    )


if __name__ == "__main__":
    app.run()
