"""The records as tables for people who open the store with sqlite3 or pandas: `v_slides` and `v_cells`."""

from __future__ import annotations

VIEWS = (
    """
    CREATE VIEW v_slides AS                 -- a slide a row, with what people said of it
    WITH newest AS (SELECT * FROM findings WHERE id IN (SELECT max(id) FROM findings GROUP BY slide)),
    about AS (
        SELECT * FROM notes WHERE field != 'note' AND id IN (SELECT max(id) FROM notes GROUP BY slide, field)
    ),
    closed AS (SELECT * FROM signatures WHERE id NOT IN (SELECT signature FROM reopened))
    SELECT
        s.id AS slide,
        (SELECT value FROM about WHERE about.slide = s.id AND field = 'patient') AS patient,
        (SELECT value FROM about WHERE about.slide = s.id AND field = 'age') AS age,
        (SELECT value FROM about WHERE about.slide = s.id AND field = 'sex') AS sex,
        s.started_at, s.finished_at,
        CASE WHEN closed.id IS NOT NULL THEN 'signed' WHEN s.finished_at IS NOT NULL THEN 'finished'
            ELSE 'open' END AS state,
        ifnull(newest.finding, s.finding) AS finding,
        ifnull(newest.headline, s.headline) AS headline,
        ifnull(newest.reason, s.reason) AS reason,
        ifnull(newest.advice, s.advice) AS advice,
        s.finding AS machine_finding,
        json_extract(ifnull(newest.tally, s.tally), '$.leukocytes') AS cells_counted,
        json_extract(ifnull(newest.tally, s.tally), '$.positives') AS blasts,
        ifnull(newest.blast_fraction, s.blast_fraction) AS blast_fraction,
        ifnull(newest.interval_low, s.interval_low) AS interval_low,
        ifnull(newest.interval_high, s.interval_high) AS interval_high,
        ifnull(newest.corrected, s.corrected) AS corrected,
        ifnull(newest.corrected_low, s.corrected_low) AS corrected_low,
        ifnull(newest.corrected_high, s.corrected_high) AS corrected_high,
        json_extract(ifnull(newest.tally, s.tally), '$.frames') AS fields,
        json_extract(ifnull(newest.tally, s.tally), '$.rejected') AS fields_rejected,
        (SELECT group_concat(DISTINCT initials) FROM words WHERE words.slide = s.id) AS readers,
        closed.initials AS signed_by, closed.at AS signed_at,
        s.bundle, s.bundle_sha256, s.trusted, s.camera, s.profile, s.runtime, s.version, s.origin
    FROM slides AS s
    LEFT JOIN newest ON newest.slide = s.id
    LEFT JOIN closed ON closed.slide = s.id
    """,
    """
    CREATE VIEW v_cells AS                  -- a cell a row, in the view in which it was counted or first seen
    WITH seen AS (
        SELECT r.slide, r.frame, r.source, r.um_per_px, c.*, ifnull(c.settled, c.counted) AS taken,
            row_number() OVER (
                PARTITION BY r.slide, c.cell ORDER BY ifnull(c.settled, c.counted) DESC, c.id
            ) AS rank
        FROM readings AS r JOIN cells AS c ON c.reading = r.id
        WHERE c.new OR c.counted OR c.settled
    ),
    spoken AS (
        SELECT slide, cell, named FROM words
        WHERE id IN (SELECT max(id) FROM words GROUP BY slide, cell, initials) AND named IS NOT NULL
    ),
    agreed AS (
        SELECT slide, cell, min(named) AS named FROM spoken GROUP BY slide, cell
        HAVING count(DISTINCT named) = 1
    )
    SELECT
        seen.slide, seen.cell, seen.class AS machine, agreed.named AS people,
        ifnull(agreed.named, seen.class) AS class,
        seen.suspicion, seen.uncertain, seen.counted, seen.taken AS settled, seen.cut,
        seen.area_um2, seen.nucleus_area_um2,
        seen.frame, seen.source, seen.um_per_px, seen.x0, seen.y0, seen.x1, seen.y1,
        seen.probabilities, seen.crop
    FROM seen LEFT JOIN agreed ON agreed.slide = seen.slide AND agreed.cell = seen.cell
    WHERE seen.rank = 1
    """,
)
"""Times are as they were written; `edge-slides` puts right those of a clock that was set later."""
