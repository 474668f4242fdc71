"""Tally → finding: one of five outcomes, in words for a health worker that never contradict the counts."""

from __future__ import annotations

from edge.line.evidence import wilson_interval
from edge.line.rules import Rules
from edge.line.weighing import Weight, looked_at, weighed
from edge.types import Apl, Finding, FindingKind, Tally
from edge.types.problems import MEND, SCALE_UNKNOWN, UNREADABLE

_WHOLE_FILM = 100
"""Fields with hardly a leukocyte after which the words ask for the whole film: of slides with leukopenia and
blasts a count of 200 cells found 9 of 17, the whole film all (PMC12619778)."""

_KEEP = "Keep the slide."
LOOK = "Look at the suspicious cells in the review."
"""What there is to do beside all else while suspicious cells wait for an eye."""

_ILL = "Have the film read by an expert if the patient is ill."

_ADVICE: dict[FindingKind, str] = {
    "refer": f"Tell the doctor in charge now: the patient needs a haematologist today. {_KEEP} {LOOK}",
    "read-film": f"Have an expert read the film today: blasts in blood are a same-day call. {_KEEP} {LOOK}",
    "no-blasts-seen": f"This does not rule out leukemia. {_ILL}",
    "keep-scanning": "",
    "not-readable": "Check focus, light and the smear, then start again.",  # of older slides
}
"""Blasts in blood are a same-day call: Optimal Care Pathway for people with acute myeloid leukaemia, 2.2."""


def judge(tally: Tally, rules: Rules) -> Finding:
    """The finding that the tally supports, in the words of what it counts.

    What people confirmed comes first, then the strongest positive finding that the evidence reached at any
    moment (`Tally.standing`), then whether the counts rule blasts out.
    """
    n, k, rule = tally.leukocytes, tally.positives, rules.rule
    told = bool(n and tally.sign)
    weight = weighed(k, n, looked_at(tally), rule, rules.rates) if told and rules.rates is not None else None
    kind, reason = _outcome(tally, rules, weight)
    apl = tally.apl if kind in ("refer", "read-film") else None
    needed = weight.more if weight is not None and kind == "keep-scanning" else None
    return Finding(
        kind=kind,
        headline=_headline(kind, tally, rules, weight),
        reason=reason,
        advice=" ".join(filter(None, (_advice(kind, tally, rules, weight), _of_apl(apl)))),
        blast_fraction=k / n if told else None,
        interval=wilson_interval(k, n, rule.interval_level) if told else None,
        level=rule.interval_level,
        cells_needed=needed,
        corrected=weight.fraction if weight else None,
        corrected_interval=weight.interval if weight else None,
        apl=apl,
    )


def _of_apl(apl: Apl | None) -> str | None:
    """What to say of it in the call: APL is treated on suspicion, for it kills by bleeding within days."""
    if apl is None or not apl.alert:
        return None
    return (
        "The blasts may be of APL (promyelocytic): say so in the call; it is treated within hours. "
        f"Of other acute leukemias up to {apl.false_alarms:.0%} look so too."
    )


def _outcome(tally: Tally, rules: Rules, weight: Weight | None) -> tuple[FindingKind, str]:
    n, rule = tally.leukocytes, rules.rule
    confirmed = sum(tally.confirmed.get(name, 0) for name in rules.positive)
    counted = f"{_many(tally.positives, tally.sign)} among {_many(n, tally.unit)}"
    seen = f"{_many(confirmed, tally.sign)} confirmed by people among {_many(n, tally.unit)}"
    if rules.strange:
        return _unreadable(tally, rules) or ("keep-scanning", rules.strange)
    if confirmed >= max(rule.least_positives, rule.confirmed_fraction * n):
        return "refer", f"{seen}: {rule.confirmed_fraction:.0%} or more."
    if tally.standing == "refer":
        return (
            "refer",
            f"{counted}: clearly more than {rule.refer_fraction:.0%}, errors allowed for.",
        )
    if confirmed >= rule.confirmed_cells:
        return "read-film", f"{seen}."
    if tally.standing == "read-film":
        return "read-film", f"{counted}: more than the model calls falsely."
    if weight is not None and weight.clear and not confirmed:
        return "no-blasts-seen", f"{counted}: clearly fewer than {rule.missed_fraction:.0%}."
    return _unreadable(tally, rules) or ("keep-scanning", _undecided(tally, rules, weight, confirmed))


def _unreadable(tally: Tally, rules: Rules) -> tuple[FindingKind, str] | None:
    """That too many fields were turned down, and why; None where enough could be read."""
    unscaled = tally.trouble == SCALE_UNKNOWN and not tally.leukocytes
    if tally.rejected <= rules.rule.rejected_fraction * tally.frames and not unscaled:
        return None
    why = f": {tally.trouble}" if tally.trouble not in (None, UNREADABLE) else ""
    return "not-readable", f"{tally.rejected} of {tally.frames} fields could not be read{why}."


def _undecided(tally: Tally, rules: Rules, weight: Weight | None, confirmed: int) -> str:
    """Why nothing is said yet."""
    n, unit, sign = tally.leukocytes, tally.unit, tally.sign
    few = "fields" if unit == "field" else "cells"
    if not sign:
        return "This model finds and counts cells; it does not tell blasts apart."
    counted = f"{_many(tally.positives, sign)} among {_many(n, unit)}"
    if confirmed:
        return f"{_many(confirmed, sign)} confirmed by people. One more decides."
    if rules.rates is None:
        return f"{counted}. Nobody measured how often this model errs elsewhere: it counts, people judge."
    fields = tally.frames - tally.rejected - tally.repeated
    if unit != "field" and n < rules.rule.least_cells and fields >= max(_WHOLE_FILM, n):
        return f"Only {_many(n, unit)} in {fields} fields: scan the whole film, few can hide blasts."
    beyond = _beyond(tally, rules, weight)
    if beyond and rules.rates.place == "site":
        return f"{counted}: this model may overlook too many blasts to rule them out."
    if beyond:
        return f"{counted}: in an unknown laboratory this model errs too often to say more."
    if n < rules.rule.least_cells:
        return f"Too few {few} to say." if not tally.positives else f"{counted}: too few {few} to say."
    return f"{counted}: not decided yet."


def _beyond(tally: Tally, rules: Rules, weight: Weight | None) -> bool:
    """Whether more cells would not decide, and enough were counted to see that."""
    enough = tally.leukocytes >= rules.rule.least_cells or tally.positives >= rules.rule.least_positives
    return weight is not None and weight.more is None and enough


def _headline(kind: FindingKind, tally: Tally, rules: Rules, weight: Weight | None) -> str:
    """The finding in a few words that hold beside the counts."""
    if kind == "no-blasts-seen" and tally.positives:
        them = "it" if tally.positives == 1 else "them"
        suspicious = "suspicious " + ("field" if tally.unit == "field" else "cell")
        return f"{_many(tally.positives, suspicious)} among {tally.leukocytes}: look at {them}"
    if kind == "no-blasts-seen" and tally.sign != "blast":
        return "NONE POSITIVE"
    if kind == "keep-scanning" and (rules.rates is None or not tally.sign):
        return "COUNTS ONLY"
    if kind == "keep-scanning" and _beyond(tally, rules, weight):
        return "NOT DECIDED: LOOK AT THE CELLS" if tally.candidates else "NOT DECIDED"
    return _HEADLINES[kind]


_HEADLINES: dict[FindingKind, str] = {
    "refer": "REFER",
    "read-film": "HAVE THE FILM READ TODAY",
    "no-blasts-seen": "NO BLASTS SEEN",
    "keep-scanning": "KEEP SCANNING",
    "not-readable": "NOT READABLE",
}


def _advice(kind: FindingKind, tally: Tally, rules: Rules, weight: Weight | None) -> str:
    words = [LOOK] if tally.candidates and kind in ("keep-scanning", "no-blasts-seen") else []
    _, mend = MEND.get(tally.trouble or "", ("", ""))
    if kind == "not-readable" and mend:
        words.append(mend)
    elif _ADVICE[kind]:
        words.append(_ADVICE[kind])
    if kind == "keep-scanning" and _beyond(tally, rules, weight):
        words.append(_ILL)
    advice = " ".join(words)
    return advice.replace("suspicious cells", "suspicious fields") if tally.unit == "field" else advice


def _many(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")
