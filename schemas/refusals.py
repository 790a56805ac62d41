"""The reasons why a delivery, a row or a run is refused (CONTRACT section 2), each a stable code.

A code is what the operator searches for and what tests hold on to: never reuse or rename one.
``docs/refusals.md`` tells what triggers each and what to do.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """One refusal, report or stop, as the operator and the analyst see it.

    No field holds a part's number, a name or an account. ``key`` is the row's own identifier in
    its ledger, left out for table ``part``, where the key is a person's or a company's number.
    """

    level: int  # 1 delivery, 2 row, 3 run, 0 reported only
    code: str
    message: str
    kilde: str | None = None
    leveransenummer: int | None = None
    fil: str | None = None
    rad: int | None = None
    tabell: str | None = None
    key: str | None = None


DELIVERY = {
    "L1-MANIFEST-JSON": "manifest.json is not readable JSON",
    "L1-MANIFEST-FIELD": "a field of manifest.json is missing or wrong",
    "L1-FOLDER": "source or number is not that of the delivery's folder",
    "L1-CHANGED": "a delivery accepted before has come again with other content",
    "L1-FILE-MISSING": "a file that the manifest names is not there",
    "L1-FILE-UNLISTED": "a file in the folder is not in the manifest",
    "L1-FILE-OUTSIDE": "a file lies outside the delivery's folder, or is reached through a link",
    "L1-FILE-TWICE": "a file is listed twice",
    "L1-FILE-ENDING": "the file's ending is not .parquet, .csv, .csv.gz or .csv.zst",
    "L1-SHA256": "the file's sha256 is not the manifest's",
    "L1-ROWS": "the number of rows is not the manifest's",
    "L1-CONTROL-SUM": "the sum of the amounts is not the manifest's",
    "L1-COLUMN-MISSING": "a column is missing",
    "L1-COLUMN-UNKNOWN": "a column is unknown",
    "L1-COLUMN-TWICE": "a column is there twice",
    "L1-UNREADABLE": "the file cannot be read",
    "L1-COLUMN-TYPE": "a column has another type than the contract's",
}

WAITING = {
    "L1-GAP": "an earlier delivery of the source is missing or refused, so this one waits",
    "L1-NO-FULL": "the source has no full delivery yet, so this one waits",
    "L1-NO-ACCESS": "a folder or file of the inbox may not be read, so what is in it waits",
}

ROW = {
    "L2-VALUE-NULL": "a value is missing where there must be one",
    "L2-VALUE-LENGTH": "an identifier is not 1-64 characters",
    "L2-VALUE-NUMBER": "a part's number is not valid (digits, length or check digits)",
    "L2-VALUE-CODE": "a code is not one of those known",
    "L2-VALUE-DATE": "a date is not YYYY-MM-DD, or does not exist",
    "L2-VALUE-AMOUNT": "an amount is not well-formed",
    "L2-VALUE-POSITIVE": "an amount must be above 0",
    "L2-VALUE-FLAG": "a flag is neither true nor false",
    "L2-VALUE-INNEHAVER": "innehaver is missing for an ENK, or there for another",
    "L2-KEY-TWICE": "the key is in two rows of one delivery",
    "L2-KEY-SOURCES": "two sources have the key, with other content, or one had its row refused",
    "L2-PART-OWNER": "the owner of the ENK is not an accepted PERSON",
    "L2-PART-UNKNOWN": "the part is not an accepted part",
    "L2-CLAIM-UNKNOWN": "the due date's krav is not there",
    "L2-CLAIM-NO-DUE-DATE": "the krav has no due dates",
    "L2-CLAIM-SUM": "the due dates do not sum to the krav",
    "L2-CLAIM-SIGN": "a due date has the opposite sign of its krav",
    "L2-CLAIM-OF-REFUSED": "the due date's krav is refused for its due dates",
    "L2-PLACEMENT-DUE-DATE": "the due date of the placement is not there, or of the wrong kind",
    "L2-PLACEMENT-MOTPOST": "the motpost of the placement is not there, or of the wrong kind",
    "L2-PLACEMENT-OVER": "more is placed on the post than its amount",
}

RUN = {
    "L3-HELD-BACK": "too many parts are held back",
    "L3-SOURCE-OLD": "a source's last used delivery is too old",
    "L3-SOURCE-GONE": "a source that the last snapshot used has no delivery to use",
    "L3-SOURCE-SHRUNK": "a source says far fewer rows than it did for the last snapshot",
    "L3-NO-SOURCE": "no source has a full delivery to use",
    "L3-INBOX-MISSING": "the inbox is not there",
    "L3-INBOX-NO-ACCESS": "the inbox may not be read",
    "L3-DATE-BACK": "the snapshot date is before that of the published snapshot",
    "L3-DATE-FUTURE": "the snapshot date is in the future",
    "L3-DATE-EXTRACTS": "the snapshot date is before all extracts",
    "L3-ACCEPTED-LOST": "the rows of an accepted delivery are gone from the home, not all there, or cannot be read",
    "L3-HOME-DAMAGED": "what the home has published cannot be read",
    "L3-HOME-VERSION": "the home was made by a version of the program that keeps its snapshots in another form",
    "L3-SCHEMA": "a table has other columns or types than it should",
    "L3-RECONCILE": "a control total does not reconcile",
    "L3-NOT-RECONCILED": "the documents were not reconciled after they were built",
    "L3-STAGE-MISSING": "a stage was asked for without the stages before it",
    "L3-STAGE-OTHER": "what an earlier stage left is not of this night as it is now",
    "L3-LOCK-LOST": "the home's lock was removed or replaced while the run held it",
}

TO_DO = {
    "L3-HELD-BACK": "find the cause under level 2; raise the limit only when it is understood",
    "L3-SOURCE-OLD": "ask the source; look for a refused or waiting delivery of it",
    "L3-SOURCE-GONE": "its accepted rows are gone from the home: put its last `full` in the inbox",
    "L3-SOURCE-SHRUNK": "ask the source; `--max-loss 1` lets it through, when it is meant",
    "L3-NO-SOURCE": "look at the inbox",
    "L3-INBOX-MISSING": "mount it, or correct the path",
    "L3-INBOX-NO-ACCESS": "let the user of the run read it",
    "L3-DATE-BACK": "look for a slip in the date; `--allow-date` when it is meant",
    "L3-DATE-FUTURE": "look for a slip in the date; `--allow-date` when it is meant",
    "L3-DATE-EXTRACTS": "look for a slip in the date; `--allow-date` when it is meant",
    "L3-ACCEPTED-LOST": "restore the home, or put the delivery back in the inbox",
    "L3-HOME-DAMAGED": "`kravoversikt doctor` tells what is wrong; go back to the newest whole snapshot with "
    "`kravoversikt rollback`, or where `current` leads nowhere `ln -sfn snapshots/<name> current`; "
    "of a segment, run with `--full`",
    "L3-HOME-VERSION": "run into a new home, and serve from there when its first night is published",
    "L3-SCHEMA": "do not publish by hand: the program is wrong",
    "L3-RECONCILE": "do not publish by hand: the program is wrong. The report names the total",
    "L3-NOT-RECONCILED": "run the whole night with all its checks: `kravoversikt run`, or the job `night`",
    "L3-STAGE-MISSING": "run the whole night with all its checks: `kravoversikt run`, or the job `night`",
    "L3-STAGE-OTHER": "run the whole night with all its checks: `kravoversikt run`, or the job `night`",
    "L3-LOCK-LOST": "see that no other run is going on, then run the night again; leave `.lock` where it is",
}
"""What the operator does about each reason to stop; ``docs/refusals.md`` says the same."""

REPORT = {
    "R-SOURCE-MISSED": "a source has delivered nothing since the last snapshot of an earlier date",
    "R-HELD-BACK": "more parts are held back than the share that a warning is given from",
    "R-KEY-SOURCES-SAME": "one post from two sources, with the same content",
    "R-SUPERSEDED": "a delivery below the source's last full was never used, and is not looked at",
    "R-KRAVTYPE-UNKNOWN": "a kravtype is not in the reference data",
    "R-EXTRACT-AFTER": "a delivery was extracted after the snapshot date",
    "R-EXTRACT-ORDER": "a delivery is older than the source's delivery before it",
    "R-RATES-OLD": "no rate of late-payment interest begins in the half-year of the snapshot date",
    "R-ANALYTICS-CHANGED": "the published analytics.duckdb was changed or removed",
    "R-KID": "a KID's check digit fails",
    "R-KONTONUMMER": "an account number's check digit fails, or the number is masked",
    "R-IBAN": "an IBAN's check digits fail, or it is masked",
}

SENTENCES = {**DELIVERY, **WAITING, **ROW, **RUN, **REPORT}
"""The plain sentence of every code."""
