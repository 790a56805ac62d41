"""What triggers each code and what to do about it: ``docs/refusals.md`` as data, which a check or a message quotes.

``tests/test_refusals.py`` holds the page to it.
"""

from schemas.refusals import TO_DO

TRIGGERS = {
    "L1-MANIFEST-JSON": "`manifest.json` is not JSON in UTF-8, has a field twice, or is not a plain file",
    "L1-MANIFEST-FIELD": "a field missing or wrong; unknown `skjemaversjon`, `type` or table",
    "L1-FOLDER": "source or number is not the folder's; a folder not named `<kilde>/<six digits>`",
    "L1-CHANGED": "other content under the number of an accepted delivery",
    "L1-FILE-MISSING": "a file that the manifest names is not there",
    "L1-FILE-UNLISTED": "a file in the folder that the manifest does not name, unless its name begins with "
    "`.` or `_` (`_SUCCESS`, `.crc`, `.nfs…` are ignored)",
    "L1-FILE-OUTSIDE": "a path out of the folder, or through a link",
    "L1-FILE-TWICE": "a file listed twice",
    "L1-FILE-ENDING": "not `.parquet`, `.csv`, `.csv.gz`, `.csv.zst`",
    "L1-SHA256": "the content is not what the manifest was made for, or was changed while it was read",
    "L1-ROWS": "rows of a file or table are not the manifest's `rader`",
    "L1-CONTROL-SUM": "the amounts do not sum to `kontrollsum`",
    "L1-COLUMN-MISSING": "a column is missing (also one that may be null)",
    "L1-COLUMN-UNKNOWN": "a column that the contract does not know; `slettet` in a `full`",
    "L1-COLUMN-TWICE": "a column is there twice",
    "L1-UNREADABLE": "ragged lines, stray quotes, not UTF-8, damaged, encrypted or absurdly packed, a "
    "codec or zstd window that is not read, an error of the disk",
    "L1-COLUMN-TYPE": "a Parquet type that the column cannot have (a float for an amount)",
    "L1-GAP": "an earlier number is missing or refused",
    "L1-NO-FULL": "the source has had no `full`",
    "L1-NO-ACCESS": "a folder or file of the inbox that the run's user may not read",
    "L2-VALUE-NULL": "a value is missing where there must be one",
    "L2-VALUE-LENGTH": "an identifier is not 1–64 characters",
    "L2-VALUE-NUMBER": "a part's or owner's number: digits, length against `parttype`, check digits",
    "L2-VALUE-CODE": "an unknown `parttype` or `plasseringstype`",
    "L2-VALUE-DATE": "not `YYYY-MM-DD`, or no such day",
    "L2-VALUE-AMOUNT": "not `-?[0-9]{1,16}(\\.[0-9]{1,2})?`",
    "L2-VALUE-POSITIVE": "an amount that must be above 0",
    "L2-VALUE-FLAG": "neither `true` nor `false`",
    "L2-VALUE-INNEHAVER": "an ENK without `innehaver`, or another with one",
    "L2-KEY-TWICE": "a key in two rows of one delivery",
    "L2-KEY-SOURCES": "one key in two sources with other content, or refused in one of them",
    "L2-PART-OWNER": "an ENK whose owner is not an accepted `PERSON`",
    "L2-PART-UNKNOWN": "a krav, payment or payout of a part that is not accepted",
    "L2-CLAIM-UNKNOWN": "a due date whose krav is not there",
    "L2-CLAIM-NO-DUE-DATE": "a krav without due dates",
    "L2-CLAIM-SUM": "due dates that do not sum to their krav",
    "L2-CLAIM-SIGN": "a due date with the opposite sign of its krav",
    "L2-CLAIM-OF-REFUSED": "a due date of a krav refused by the three above",
    "L2-PLACEMENT-DUE-DATE": "a placement whose due date is not there, or of the wrong kind",
    "L2-PLACEMENT-MOTPOST": "a placement whose motpost is not there, or of the wrong kind",
    "L2-PLACEMENT-OVER": "more is placed on a post than its amount",
    "L3-HELD-BACK": "parts held back, and rows that lead to none, over accepted parts pass `--max-held-back` (0.01)",
    "L3-SOURCE-OLD": "a source's last used delivery was extracted more than `--max-age-days` (3) before S, or than the "
    "source's own `max_age_days` in `operations.toml`",
    "L3-SOURCE-GONE": "a source that the last snapshot used has nothing to use",
    "L3-SOURCE-SHRUNK": "what a source says has lost more of the rows of a table since the last snapshot than"
    " `--max-loss` (0.2): a `full` that was extracted too early, or many removals",
    "L3-NO-SOURCE": "no source has a `full` to use",
    "L3-INBOX-MISSING": "the inbox is not a folder",
    "L3-INBOX-NO-ACCESS": "the user of the run may not read the inbox",
    "L3-DATE-BACK": "S is before the published snapshot's date",
    "L3-DATE-FUTURE": "S is later than today in Oslo",
    "L3-DATE-EXTRACTS": "S is before the last extract of every source",
    "L3-ACCEPTED-LOST": "accepted rows are missing or cannot be read in `<home>/deliveries` and the inbox has"
    " not the same delivery any more",
    "L3-HOME-DAMAGED": "`current` leads nowhere though snapshots are there; its manifest cannot be read; its"
    " index or one of its tables is gone or cut short. Nothing is removed. (A segment "
    "that is gone or cut short stops nothing: every part is built anew.) Or a segment "
    "whose documents get a new date can't be read, or isn't of the same krav as the "
    "tables",
    "L3-HOME-VERSION": "the published snapshot is in the form of another version of the program; a server of"
    " that version goes on serving it, one of this version does not "
    "([versions](versions.md))",
    "L3-SCHEMA": "a file of the snapshot's tables has other columns or types than [tables](tables.md) tells",
    "L3-RECONCILE": "a control total differs between the posts and the stored documents",
    "L3-NOT-RECONCILED": "a run that was asked for some assets only, or without asset checks, came to "
    "publishing and what is built was not reconciled since",
    "L3-STAGE-MISSING": "an asset or a check was run, or a run re-executed, without what comes before it: the"
    " night was published, or another has begun since",
    "L3-STAGE-OTHER": "a run was re-executed, or a stage run again, over what an earlier run left, and that"
    " was made for another date, by another program, with other settings or reference "
    "data, over another published snapshot, or its files are gone",
    "L3-LOCK-LOST": "`<home>/.lock` was removed or replaced while the run held it, so that another run could begin",
    "R-SOURCE-MISSED": "a source of which nothing new has come since the last published snapshot of an earlier date, "
    "with its name and the age of its last extract. One whose new delivery is refused or waits is told of by that",
    "R-HELD-BACK": "more parts are held back than `warn_held_back` of `operations.toml` (0.002), and not so many that "
    "the night stops",
    "R-KEY-SOURCES-SAME": "one post from two sources with the same content; it is shown once",
    "R-SUPERSEDED": "deliveries numbered below the full in force that were never used",
    "R-KRAVTYPE-UNKNOWN": "kravtyper that the reference data lacks, by source, the most frequent named: they bear "
    "interest and belong to `Andre krav`",
    "R-EXTRACT-AFTER": "deliveries in force that were extracted on a day after S",
    "R-EXTRACT-ORDER": "deliveries in force that are older than the source's delivery before them",
    "R-ANALYTICS-CHANGED": "the analysts' database of the published snapshot is gone, or other than it was published: "
    "figures taken from it since may be wrong; tonight's is made anew",
    "R-RATES-OLD": "no rate begins in the half-year of S: the last one is used on",
    "R-KID": "KIDs whose check digit fails, by neither mod 10 nor mod 11; shown as delivered",
    "R-KONTONUMMER": "account numbers whose check digit fails, or that the source has masked; shown as delivered",
    "R-IBAN": "IBANs whose check digits fail; shown as delivered",
}
"""When each code is told. ``S``: the snapshot date."""

CURES = {
    **TO_DO,
    "L1-MANIFEST-JSON": "send a readable manifest",
    "L1-MANIFEST-FIELD": "the message names the field",
    "L1-FOLDER": "move the folder, or correct the manifest",
    "L1-CHANGED": "the accepted copy stays in force; number the new content on",
    "L1-FILE-UNLISTED": "list or remove it",
    "L1-SHA256": "often a copy cut short: copy again",
    "L1-UNREADABLE": "the message says which, when it is known, and the line of a CSV file",
    "L1-GAP": "send what is missing, or a new `full`",
    "L1-NO-FULL": "send one",
    "L1-NO-ACCESS": "let it be read; what was accepted before stays in force",
    "R-SOURCE-MISSED": "ask the source whether it has missed a night",
    "R-HELD-BACK": "look for the cause under level 2",
    "R-ANALYTICS-CHANGED": "it is read-only: look for who has written to it",
    "R-KEY-SOURCES-SAME": "nothing; when it was not meant, ask the two sources which of them has the post",
    "R-SUPERSEDED": "nothing; if new ones stay below it, have the source send a `full` with a higher number",
    "R-KRAVTYPE-UNKNOWN": "give the run a file of kravtyper that has them (`--kravtyper`)",
    "R-EXTRACT-AFTER": "look for a slip in the date; nothing when a later extract is meant",
    "R-EXTRACT-ORDER": "ask the source whether an old extract was sent again",
    "R-RATES-OLD": "give the run a new file of rates (`--rates`)",
    "R-KID": "tell the source; nothing is held back",
    "R-KONTONUMMER": "tell the source, unless it masks them; nothing is held back",
    "R-IBAN": "tell the source, unless it masks them; nothing is held back",
}
"""What to do, where it is more than what is done about every code of its level."""

OF_LEVEL = {
    "L1": "have the source send the delivery again, corrected, under the same number, or a new `full`",
    "L2": "have the source correct the row; start with those that come from no other",
}
"""What is done about the codes of a level that ``CURES`` does not name."""


def to_do(code: str) -> str:
    """What the operator does about a code; nothing for one that this program does not know."""
    return CURES.get(code) or OF_LEVEL.get(code[:2], "")
