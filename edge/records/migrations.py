"""The tables of the records, version by version."""

from __future__ import annotations

from edge.records.sqlviews import VIEWS, slides_view

MIGRATIONS = (
    (
        """
        CREATE TABLE slides (
            id TEXT PRIMARY KEY,
            started_at TEXT NOT NULL,       -- UTC, ISO 8601
            finished_at TEXT,               -- NULL while under way, and for ever if the power went
            version TEXT NOT NULL,          -- of the program
            profile TEXT NOT NULL,
            camera TEXT NOT NULL,
            runtime TEXT NOT NULL,
            bundle TEXT NOT NULL,           -- name and version
            bundle_sha256 TEXT NOT NULL,
            trusted INTEGER NOT NULL,       -- 0 for a bundle neither shipped nor signed by a trusted key
            classes TEXT NOT NULL,          -- JSON list, in the order of cells.probabilities
            finding TEXT,
            reason TEXT,
            blast_fraction REAL,
            interval_low REAL,
            interval_high REAL,
            interval_level REAL,
            tally TEXT                      -- JSON object
        )
        """,
        """
        CREATE TABLE readings (
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL REFERENCES slides (id),
            frame INTEGER NOT NULL,         -- index of the frame
            source TEXT NOT NULL,
            captured_at TEXT NOT NULL,      -- UTC, ISO 8601
            t_s REAL NOT NULL,              -- monotonic clock
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            exposure_ms REAL,
            um_per_px REAL NOT NULL,
            um_per_px_from TEXT NOT NULL,
            sharpness REAL NOT NULL,
            brightness REAL NOT NULL,
            problems TEXT NOT NULL,         -- JSON list, empty for an accepted field
            repeated INTEGER NOT NULL,      -- 1 when the field showed nothing new
            fault TEXT,                     -- why there was no picture
            ms TEXT NOT NULL                -- JSON object, milliseconds by stage
        )
        """,
        "CREATE INDEX readings_of_slide ON readings (slide, frame)",
        """
        CREATE TABLE cells (
            id INTEGER PRIMARY KEY,
            reading INTEGER NOT NULL REFERENCES readings (id),
            cell INTEGER NOT NULL,          -- identity on the slide
            x0 INTEGER NOT NULL, y0 INTEGER NOT NULL, x1 INTEGER NOT NULL, y1 INTEGER NOT NULL,
            area_um2 REAL NOT NULL,
            nucleus_area_um2 REAL NOT NULL,
            class TEXT NOT NULL,
            probabilities BLOB NOT NULL,    -- little-endian float32, one a class of the slide
            uncertain INTEGER NOT NULL,
            certain INTEGER NOT NULL,
            cut INTEGER NOT NULL,
            new INTEGER NOT NULL,
            counted INTEGER NOT NULL,
            crop BLOB                       -- JPEG; NULL where a cell already kept is seen again
        )
        """,
        "CREATE INDEX cells_of_reading ON cells (reading)",
    ),
    (
        """
        CREATE TABLE boots (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            boot_id TEXT NOT NULL UNIQUE,   -- what the kernel calls it
            first_seen_at TEXT NOT NULL,    -- by the wall clock of that moment, right or wrong
            first_seen_s REAL NOT NULL      -- seconds since the boot, sleep included
        )
        """,
        """
        CREATE TABLE clock (                -- added to when a boot's clock becomes set or jumps
            id INTEGER PRIMARY KEY,
            boot INTEGER NOT NULL REFERENCES boots (number),
            utc TEXT NOT NULL,              -- what the wall clock said, ISO 8601
            boot_s REAL NOT NULL,           -- at so many seconds since the boot, sleep included
            voucher TEXT NOT NULL           -- who says so: 'ntp', 'rtc', 'hand', or '' for nobody
        )
        """,
        "CREATE INDEX clock_of_boot ON clock (boot)",
        # NULL in all of these: written before they were there
        "ALTER TABLE slides ADD COLUMN boot INTEGER REFERENCES boots (number)",
        "ALTER TABLE slides ADD COLUMN started_s REAL",  # seconds since the boot, sleep included
        "ALTER TABLE slides ADD COLUMN finished_s REAL",
        "ALTER TABLE slides ADD COLUMN clock_set INTEGER",  # 1 when something vouched for started_at
        "ALTER TABLE readings ADD COLUMN captured_s REAL",  # seconds since the boot, sleep included
        "ALTER TABLE readings ADD COLUMN focus REAL",  # sharpness by the best of the slide, 0 to 1
    ),
    (
        # NULL in all of these: written before they were there
        "ALTER TABLE slides ADD COLUMN rules TEXT",  # JSON object: what the finding reckons with
        "ALTER TABLE slides ADD COLUMN headline TEXT",
        "ALTER TABLE slides ADD COLUMN advice TEXT",
        "ALTER TABLE slides ADD COLUMN corrected REAL",  # blast_fraction, for the model's errors
        "ALTER TABLE slides ADD COLUMN corrected_low REAL",
        "ALTER TABLE slides ADD COLUMN corrected_high REAL",
        "ALTER TABLE slides ADD COLUMN cells_needed INTEGER",
        "ALTER TABLE slides ADD COLUMN process TEXT",  # who screens it (see edge.machine.processes)
        "ALTER TABLE cells ADD COLUMN settled INTEGER",  # entered the tally here, of whatever class
        "ALTER TABLE cells ADD COLUMN context BLOB",  # JPEG of the field round it; NULL where not kept
        # from here on `at` is UTC, ISO 8601, and at_s the same moment in seconds since the boot
        """
        CREATE TABLE words (                -- what people said of cells
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL REFERENCES slides (id),
            cell INTEGER NOT NULL,          -- identity on the slide
            initials TEXT NOT NULL,
            named TEXT,                     -- the class; NULL takes back
            step INTEGER NOT NULL,          -- the same for what was said at once: id of its first word
            undoes INTEGER,                 -- the step that this one undoes
            at TEXT NOT NULL, boot INTEGER NOT NULL REFERENCES boots (number), at_s REAL NOT NULL
        )
        """,
        "CREATE INDEX words_of_slide ON words (slide, initials)",
        """
        CREATE TABLE notes (                -- what is known of a slide and its patient; the newest holds
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL REFERENCES slides (id),
            initials TEXT NOT NULL,
            field TEXT NOT NULL,            -- 'patient', 'age', 'sex'; of 'note' all hold
            value,                          -- NULL takes back
            at TEXT NOT NULL, boot INTEGER NOT NULL REFERENCES boots (number), at_s REAL NOT NULL
        )
        """,
        "CREATE INDEX notes_of_slide ON notes (slide)",
        """
        CREATE TABLE findings (             -- what followed from people's words; slides has the machine's
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL REFERENCES slides (id),
            initials TEXT NOT NULL,         -- after whose word
            finding TEXT NOT NULL, headline TEXT NOT NULL, reason TEXT NOT NULL, advice TEXT NOT NULL,
            blast_fraction REAL, interval_low REAL, interval_high REAL, interval_level REAL NOT NULL,
            corrected REAL, corrected_low REAL, corrected_high REAL,
            cells_needed INTEGER,
            tally TEXT NOT NULL,            -- JSON object
            at TEXT NOT NULL, boot INTEGER NOT NULL REFERENCES boots (number), at_s REAL NOT NULL
        )
        """,
        "CREATE INDEX findings_of_slide ON findings (slide)",
        """
        CREATE TABLE finished (             -- a person has read the slide, and may see others' words
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL REFERENCES slides (id),
            initials TEXT NOT NULL,
            word INTEGER NOT NULL,          -- id of the last word before: later ones were not blind
            at TEXT NOT NULL, boot INTEGER NOT NULL REFERENCES boots (number), at_s REAL NOT NULL,
            UNIQUE (slide, initials)
        )
        """,
        """
        CREATE TABLE signatures (           -- closes a slide
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL UNIQUE REFERENCES slides (id),
            initials TEXT NOT NULL,
            finding TEXT NOT NULL,          -- the one signed
            readers TEXT NOT NULL,          -- JSON list: initials of the two who read it blind, or fewer
            kappa REAL, both INTEGER,       -- agreement of the two, and over how many cells
            at TEXT NOT NULL, boot INTEGER NOT NULL REFERENCES boots (number), at_s REAL NOT NULL
        )
        """,
        """
        CREATE TABLE visits (               -- who has, or had, a slide open
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL REFERENCES slides (id),
            initials TEXT NOT NULL,
            process TEXT NOT NULL,
            at TEXT NOT NULL, boot INTEGER NOT NULL REFERENCES boots (number), at_s REAL NOT NULL,
            left_s REAL                     -- NULL until it is closed, and for ever if the power went
        )
        """,
        "CREATE INDEX visits_of_slide ON visits (slide)",
        """
        CREATE TABLE places (               -- where a person's review stands; the only rows that are replaced
            slide TEXT NOT NULL REFERENCES slides (id),
            initials TEXT NOT NULL,
            cell INTEGER,
            only TEXT,                      -- the class that is shown alone
            PRIMARY KEY (slide, initials)
        )
        """,
        *(
            f"CREATE TRIGGER {table}_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are only added to'); END"
            for table in ("words", "notes", "findings", "finished", "signatures")
            for change in ("UPDATE", "DELETE")
        ),
    ),
    (
        # JSON object: the site's figures that it was read with; NULL for the bundle's own, and before
        "ALTER TABLE slides ADD COLUMN site TEXT",
    ),
    (
        # NULL in all of these: written before they were there, or nothing to keep
        "CREATE TABLE origin (id TEXT NOT NULL)",  # this store's own name: identifiers elsewhere rest on it
        "INSERT INTO origin VALUES (lower(hex(randomblob(16))))",
        "ALTER TABLE slides ADD COLUMN origin TEXT",  # the name of the store that it was screened into
        "UPDATE slides SET origin = (SELECT id FROM origin)",
        "ALTER TABLE slides ADD COLUMN crop_um REAL",  # side of a cell's crop
        # a slide that was cut off may be gone on with, in another boot too
        "ALTER TABLE slides ADD COLUMN gone_on TEXT",  # JSON list: each time `at`, and what with
        # of `process` and finished_s, where that is another than `boot`
        "ALTER TABLE slides ADD COLUMN last_boot INTEGER REFERENCES boots (number)",
        "ALTER TABLE readings ADD COLUMN boot INTEGER REFERENCES boots (number)",  # NULL: the slide's
        "ALTER TABLE readings ADD COLUMN overlaps TEXT",  # JSON list: [frame, x, y], see Reading.overlaps
        "ALTER TABLE readings ADD COLUMN thumb BLOB",  # grey JPEG of the field, see edge.line.thumbnail
        "ALTER TABLE cells ADD COLUMN suspicion REAL",  # probability of the positive classes together
        "ALTER TABLE cells ADD COLUMN x REAL",  # centre, px of the frame
        "ALTER TABLE cells ADD COLUMN y REAL",
        "ALTER TABLE cells ADD COLUMN abstained INTEGER",  # would be settled, had the classifier been sure
        "ALTER TABLE cells ADD COLUMN outline BLOB",  # see edge.records.outlines; kept where the crop is
        "ALTER TABLE cells ADD COLUMN nucleus BLOB",
        """
        CREATE TABLE fields (               -- whole pictures, where they were asked for
            reading INTEGER PRIMARY KEY REFERENCES readings (id),
            jpeg BLOB NOT NULL,
            sha256 BLOB NOT NULL
        )
        """,
        "ALTER TABLE signatures RENAME TO signatures_before",
        """
        CREATE TABLE signatures (           -- closes a slide, until it is reopened
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL REFERENCES slides (id),
            initials TEXT NOT NULL,
            finding TEXT NOT NULL,          -- the one signed
            readers TEXT NOT NULL,          -- JSON list: initials of the two who read it blind, or fewer
            kappa REAL, both INTEGER,       -- agreement of the two, and over how many cells
            at TEXT NOT NULL, boot INTEGER NOT NULL REFERENCES boots (number), at_s REAL NOT NULL
        )
        """,
        "INSERT INTO signatures SELECT id, slide, initials, finding, readers, kappa, both, at, boot, at_s "
        "FROM signatures_before",
        "DROP TABLE signatures_before",
        "CREATE INDEX signatures_of_slide ON signatures (slide)",
        """
        CREATE TABLE reopened (             -- a signature holds no more: what it closed is to be corrected
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL REFERENCES slides (id),
            signature INTEGER NOT NULL UNIQUE REFERENCES signatures (id),
            initials TEXT NOT NULL,
            reason TEXT NOT NULL,
            at TEXT NOT NULL, boot INTEGER NOT NULL REFERENCES boots (number), at_s REAL NOT NULL
        )
        """,
        "CREATE INDEX reopened_of_slide ON reopened (slide)",
        # see edge.records.seals
        *(
            f"ALTER TABLE {table} ADD COLUMN sha256 BLOB"
            for table in (
                *("slides", "readings"),
                *("words", "notes", "findings", "finished", "signatures", "reopened"),
            )
        ),
        *(
            f"CREATE TRIGGER {table}_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are only added to'); END"
            for table in ("signatures", "reopened")
            for change in ("UPDATE", "DELETE")
        ),
        *VIEWS,
    ),
    (
        # JSON list: what must stay in sight of the model; NULL without, and before
        "ALTER TABLE slides ADD COLUMN caveats TEXT",
        "DROP VIEW v_slides",
        slides_view("caveats"),
    ),
    (
        """
        CREATE TABLE outbox (               -- what servers answered; what is to go follows from it
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL REFERENCES slides (id),
            server TEXT NOT NULL,           -- its address
            revision TEXT NOT NULL,         -- of what was sent, see edge.records.outbox
            outcome TEXT NOT NULL,          -- 'accepted', 'refused'
            status INTEGER NOT NULL,        -- of HTTP
            reason TEXT NOT NULL,           -- in the server's words; may be empty
            size INTEGER NOT NULL,          -- bytes as they were sent
            at TEXT NOT NULL, boot INTEGER NOT NULL REFERENCES boots (number), at_s REAL NOT NULL,
            sha256 BLOB
        )
        """,
        "CREATE INDEX outbox_of_slide ON outbox (slide, server)",
        "CREATE INDEX words_in_order ON words (slide)",  # the last word of a slide, at once
        *(
            f"CREATE TRIGGER outbox_{change.lower()} BEFORE {change} ON outbox "
            "BEGIN SELECT RAISE(ABORT, 'outbox is only added to'); END"
            for change in ("UPDATE", "DELETE")
        ),
    ),
)
"""The statements that lead from schema version i to i + 1. A file's version is its PRAGMA user_version."""
