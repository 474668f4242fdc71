"""A slide's row in words: whose it is, when it was begun, what became of it."""

from __future__ import annotations

from edge.records.identifiers import isolated
from edge.records.rows import Row, finding_of
from edge.tui.finding import between, percent


def whose(row: Row) -> list[str]:
    """What is known of the patient."""
    age = row["age"]
    return [
        *([f"patient {isolated(row['patient'])}"] if row["patient"] else ["no patient noted"]),
        *([f"{age} year{'' if age == 1 else 's'}"] if age is not None else []),
        *([row["sex"]] if row["sex"] else []),
    ]


def began(row: Row) -> str:
    """When, by the clock of that day."""
    doubt = "" if row["clock"] in ("set", "corrected") else ", by a clock that nobody had set"
    return f"begun {minute(row['started_at'])}{doubt}"


def became(row: Row, *, goes_on: bool = False) -> str:
    """How it stands, and what can be done with it; `goes_on`: a camera is there to go on with it."""
    counted = f"{row['cells_counted']} cells"
    readers = ", ".join(row["readers"])
    looked = f"looked at by {readers}" if readers else "nobody has looked at its cells yet"
    match row["state"]:
        case "under way":
            return f"Under way: it is being screened now, {counted} so far; {looked}."
        case "cut off":
            keys = f"x closes it{', g goes on with it' if goes_on else ''}, enter shows its cells"
            return f"Cut off after {counted}, by a power cut or by hand: {keys}; {looked}."
        case "signed":
            return f"Signed by {row['signed_by']} on {minute(row['signed_at'])}, which closed it; {looked}."
        case _:
            return f"Finished {minute(row['finished_at'])} with {counted}; {looked}."


def share(row: Row) -> str:
    """How many of its cells are positive, corrected for the model's errors where these are known."""
    finding = finding_of(row)
    if finding is None or finding.blast_fraction is None or finding.interval is None:
        return ""
    if finding.corrected is None or finding.corrected_interval is None:
        return f"{percent(finding.blast_fraction)} as counted, {between(finding.interval)}"
    return f"{percent(finding.corrected)} corrected, {between(finding.corrected_interval)}"


def minute(at: str) -> str:
    """A time of the records to the minute; their times are UTC."""
    return f"{at[:16].replace('T', ' ')} UTC"
