"""A slide's row in words: whose it is, when it was begun, what became of it."""

from __future__ import annotations

from edge.records.identifiers import isolated
from edge.records.rows import Row


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


def became(row: Row) -> str:
    """How it stands, and what can be done with it."""
    counted = f"{row['cells_counted']} cells"
    readers = (
        f"looked at by {', '.join(row['readers'])}"
        if row["readers"]
        else "nobody has looked at its cells yet"
    )
    match row["state"]:
        case "under way":
            return f"Under way: it is being screened now. {readers}."
        case "cut off":
            told = (
                f"Cut off before its end, by a power cut or by hand, after {counted}. Nothing seen is lost:"
            )
            return f"{told} enter goes on with it in the review ({readers})."
        case "signed":
            return f"Signed by {row['signed_by']} on {minute(row['signed_at'])}, which closed it; {readers}."
        case _:
            return f"Finished {minute(row['finished_at'])} with {counted}; {readers}."


def minute(at: str) -> str:
    """A time of the records to the minute; their times are UTC."""
    return f"{at[:16].replace('T', ' ')} UTC"
