"""The records as tables for people who open the store with sqlite3 or pandas: `v_slides` and `v_cells`.

Asked for one slide they read that slide alone: whatever they look up for a row they find by an index.
"""

from __future__ import annotations


def _known(field: str) -> str:
    """What was noted of the slide last."""
    last = f"SELECT value FROM notes WHERE slide = s.id AND field = '{field}' ORDER BY id DESC LIMIT 1"
    return f"({last}) AS {field}"


def _judged(*columns: str) -> str:
    """Of the finding after people's words, else of the machine's."""
    return ", ".join(
        f"CASE WHEN f.id IS NULL THEN s.{column} ELSE f.{column} END AS {column}" for column in columns
    )


def _tallied(key: str, name: str) -> str:
    return f"json_extract(CASE WHEN f.id IS NULL THEN s.tally ELSE f.tally END, '$.{key}') AS {name}"


def slides_view(*more: str) -> str:
    """The statement that makes `v_slides`, with `more` columns of table `slides` than its first ones."""
    return f"""
    CREATE VIEW v_slides AS                 -- a slide a row, with what people said of it
    SELECT
        s.id AS slide,
        {_known("patient")}, {_known("age")}, {_known("sex")},
        s.started_at, s.finished_at,
        CASE WHEN closed.id IS NOT NULL THEN 'signed' WHEN s.finished_at IS NOT NULL THEN 'finished'
            ELSE 'open' END AS state,
        {_judged("finding", "headline", "reason", "advice")},
        s.finding AS machine_finding,
        {_tallied("leukocytes", "cells_counted")}, {_tallied("positives", "blasts")},
        {_judged("blast_fraction", "interval_low", "interval_high")},
        {_judged("corrected", "corrected_low", "corrected_high")},
        {_tallied("frames", "fields")}, {_tallied("rejected", "fields_rejected")},
        (SELECT group_concat(DISTINCT initials) FROM words WHERE words.slide = s.id) AS readers,
        closed.initials AS signed_by, closed.at AS signed_at,
        s.bundle, s.bundle_sha256, s.trusted, s.camera, s.profile, s.runtime, s.version, s.origin
        {"".join(f", s.{column}" for column in more)}
    FROM slides AS s
    LEFT JOIN findings AS f ON f.id = (SELECT max(id) FROM findings WHERE slide = s.id)
    LEFT JOIN signatures AS closed ON closed.id = (
        SELECT max(id) FROM signatures
        WHERE slide = s.id AND NOT EXISTS (SELECT 1 FROM reopened WHERE reopened.signature = signatures.id)
    )
    """


VIEWS = (
    "CREATE INDEX words_of_cell ON words (slide, cell)",
    slides_view(),
    """
    CREATE VIEW v_cells AS                  -- a cell a row, in the view in which it was counted or first seen
    WITH seen AS (                          -- without pictures, which would all be sorted with it
        SELECT r.slide, c.id, c.cell, ifnull(c.settled, c.counted) AS settled,
            row_number() OVER (
                PARTITION BY r.slide, c.cell ORDER BY ifnull(c.settled, c.counted) DESC, c.id
            ) AS rank
        FROM readings AS r CROSS JOIN cells AS c ON c.reading = r.id
        WHERE c.new OR c.counted OR c.settled
    ),
    named AS (                              -- NULL where nobody said anything, or people do not agree
        SELECT seen.*, (
            SELECT CASE WHEN min(named) = max(named) THEN min(named) END FROM words AS w
            WHERE w.slide = seen.slide AND w.cell = seen.cell AND w.id = (
                SELECT max(id) FROM words AS later
                WHERE later.slide = w.slide AND later.cell = w.cell AND later.initials = w.initials
            )
        ) AS people
        FROM seen WHERE rank = 1
    )
    SELECT
        named.slide, named.cell, c.class AS machine, named.people, ifnull(named.people, c.class) AS class,
        c.suspicion, c.uncertain, c.counted, named.settled, c.cut, c.area_um2, c.nucleus_area_um2,
        r.frame, r.source, r.um_per_px, c.x0, c.y0, c.x1, c.y1, c.probabilities, c.crop
    FROM named CROSS JOIN cells AS c ON c.id = named.id CROSS JOIN readings AS r ON r.id = c.reading
    """,
)
"""Times are as they were written; `edge-slides` puts right those of a clock that was set later."""
