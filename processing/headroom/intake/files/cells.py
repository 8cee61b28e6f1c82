"""Cells: what a text is as a number, a moment or a name, and what is wrong with it; functions in SQL, for all rows."""

from __future__ import annotations

from headroom.intake.files.layout import EARLIEST, NAME_LENGTH
from headroom.intake.sql import quoted
from headroom.intake.words import units
from headroom.intake.words.server_names import TOTALS

NO_TIMESTAMP = "not a timestamp: use ISO 8601 (2024-01-31T13:05:00Z), or epoch seconds or milliseconds"
# Seconds since 1970 have ten digits from September 2001 on. What counts from 2001 (Apple) or 2000 has nine in these
# years, and .NET's ticks would be nanoseconds of 1990: as times since 1970 they would pass for samples of long ago.
_FIRST_EPOCH = 10**9
_OTHER_EPOCH = (
    "a number, and not of seconds or milliseconds since 1970, which have ten digits at least: does it count from "
    "another year? Use ISO 8601 (2024-01-31T13:05:00Z)"
)
# What programs write of a name that they do not know.
_NO_NAMES = "'(null)', '<na>', '<null>', '#n/a', 'nil', 'undefined', 'unknown', '(none)', '<none>', '?'"
_RATES = ", ".join(f"{quoted(unit)}: {factor!r}::DOUBLE" for unit, factor in units.RATES_IN_CELLS.items())

MACROS = rf"""
CREATE MACRO clean(cell) AS CASE
    WHEN ascii(cell) <= 32 OR ascii(cell) = 160 OR ascii(right(cell, 1)) <= 32 OR ascii(right(cell, 1)) = 160
    THEN trim(cell, ' ' || chr(9) || chr(10) || chr(13) || chr(160)) ELSE cell END;

CREATE MACRO instant_of_epoch(number) AS CASE
    WHEN number >= {_FIRST_EPOCH} AND number < 1e11 THEN to_timestamp(number)
    WHEN number >= {_FIRST_EPOCH}e3 AND number < 1e14 THEN to_timestamp(number / 1e3)
    WHEN number >= {_FIRST_EPOCH}e6 AND number < 1e17 THEN to_timestamp(number / 1e6)
    WHEN number >= {_FIRST_EPOCH}e9 AND number < 1e20 THEN to_timestamp(number / 1e9) END;

-- DuckDB takes abbreviations of zones for one of the places that use them: only texts without letters get there, but
-- for the T, Z, UTC and GMT of plain times. CASE looks at its ways one by one, which coalesce does not for all of them.
CREATE MACRO instant(text) AS CASE
    WHEN suffix(text, 'Z') AND strlen(text) <= 20 THEN try_cast(text AS TIMESTAMPTZ)
    WHEN lower(text) = upper(text) OR regexp_full_match(text, '[0-9TZ:.+ \t\-/]*(UTC|GMT|z)?\s*') THEN coalesce(
        try_cast(text AS TIMESTAMPTZ),
        CASE WHEN try_cast(text AS DOUBLE) IS NOT NULL THEN instant_of_epoch(try_cast(text AS DOUBLE))
            ELSE try_cast(regexp_replace(clean(text), '\s+(Z|[+-]\d{{2}}:?\d{{2}})$', '\1') AS TIMESTAMPTZ) END) END;

-- The quick way first: the others are only looked at where it fails, and there is a text at all.
CREATE MACRO quick_or(text, slow) AS
    CASE WHEN try_cast(text AS DOUBLE) IS NULL AND text <> '' THEN slow ELSE try_cast(text AS DOUBLE) END;

CREATE MACRO plain_number(text) AS try_cast(rtrim(text, '% ' || chr(160) || chr(8239)) AS DOUBLE);

-- The mark of decimals is a point, and a comma, blank or apostrophe stands between thousands.
CREATE MACRO number_with_point(text) AS coalesce(
    plain_number(text), plain_number(regexp_replace(clean(text), '[, ''’\x{{a0}}\x{{202f}}]', '', 'g')));

-- The other way round.
CREATE MACRO number_with_comma(text) AS CASE
    WHEN regexp_matches(text, ',|\d[ ''’\x{{a0}}\x{{202f}}]\d|^\s*[-+]?\d{{1,3}}(\.\d{{3}})+\s*%?\s*$')
    THEN plain_number(replace(regexp_replace(clean(text), '[. ''’\x{{a0}}\x{{202f}}]', '', 'g'), ',', '.'))
    ELSE plain_number(text) END;

-- Not known: 6,104.50 and 45,12 can be read in one way only, 6,104 in two.
CREATE MACRO number(text) AS coalesce(
    plain_number(text),
    CASE WHEN regexp_full_match(clean(text), '[-+]?\d{{1,3}}([ ''’\x{{a0}}\x{{202f}}]\d{{3}})+([.,]\d+)?\s*%?')
        THEN plain_number(replace(regexp_replace(clean(text), '[ ''’\x{{a0}}\x{{202f}}]', '', 'g'), ',', '.'))
        WHEN regexp_full_match(clean(text), '[-+]?\d{{1,3}}(,\d{{3}})+(\.\d+|,\d{{3}})\s*%?')
        THEN number_with_point(text)
        WHEN regexp_full_match(clean(text), '[-+]?\d{{1,3}}(\.\d{{3}})+(,\d+|\.\d{{3}})\s*%?')
            OR regexp_full_match(clean(text), '[-+]?(\d+,(\d\d?|\d{{4,}})|0,\d+)\s*%?')
        THEN number_with_comma(text) END);

-- A percentage above a thousand is none, so a comma in it stands before decimals.
CREATE MACRO percent(text) AS coalesce(number(text), plain_number(replace(text, ',', '.')));

-- A rate may have its unit in its cell. Few have one, and the others are not searched for it: of coalesce, DuckDB would
-- compute beforehand, for all rows, what occurs in it twice, as the subject of a CASE does.
CREATE MACRO amount_with(text, marks) AS regexp_extract(text, '^\s*([-+]?\d[\d' || marks || ']*)\s*[A-Za-z/]+\s*$', 1);
CREATE MACRO amount(text) AS try_cast(amount_with(text, '.') AS DOUBLE);
CREATE MACRO amount_with_point(text) AS try_cast(replace(amount_with(text, '.,'), ',', '') AS DOUBLE);
CREATE MACRO amount_with_comma(text) AS
    try_cast(replace(replace(amount_with(text, '.,'), '.', ''), ',', '.') AS DOUBLE);
CREATE MACRO rate(text, read, amount) AS CASE WHEN read IS NOT NULL OR text = '' THEN read
    ELSE amount
    * MAP {{{_RATES}}}[regexp_extract(text, '([A-Za-z/]+)\s*$', 1)] END;

-- An expression, because of IN with so many texts DuckDB would make a join, which all rows pass before any CASE.
CREATE MACRO is_nothing(text) AS regexp_full_match(lower(clean(text)), '|nan|null|none|na|n/a|-');

CREATE MACRO value_problem(text, number, most, unit) AS CASE
    WHEN text IS NULL OR number BETWEEN 0 AND most THEN NULL
    WHEN isnan(number) OR is_nothing(text) THEN NULL
    WHEN number IS NULL AND regexp_matches(text, '^\s*[-+]?\d{{1,3}}[.,]\d{{3}}\s*$')
        THEN 'could be a fraction or thousands: say decimal_mark under sources in the settings'
    WHEN number IS NULL THEN 'not a number'
    WHEN isinf(number) THEN 'not a finite number'
    ELSE 'outside 0 to ' || most || unit END;

-- A column in doubt has no good values.
CREATE MACRO doubt(text, number, reason, most, unit) AS CASE
    WHEN reason IS NOT NULL AND number IS NOT NULL AND NOT isnan(number) THEN reason
    ELSE value_problem(text, number, most, unit) END;

CREATE MACRO problem(source_column, cell, reason) AS {{'column': source_column, 'value': cell, 'reason': reason}};
CREATE MACRO not_null(list) AS list_filter(list, lambda item: item IS NOT NULL);

CREATE MACRO is_total(name) AS regexp_full_match(lower(clean(name)), {quoted(TOTALS)});

CREATE MACRO server_problem(name) AS CASE
    WHEN is_nothing(name) OR lower(name) IN ({_NO_NAMES})
        THEN 'no server name: export it beside the values, or send a file per server, named after it'
    WHEN is_total(name) THEN 'a total or an average, and not a server'
    WHEN length(name) > {NAME_LENGTH} THEN 'server name longer than {NAME_LENGTH} characters'
    WHEN regexp_matches(name, '\p{{Cc}}') THEN 'server name with control characters' END;

CREATE MACRO time_problem(text, instant_read, latest) AS CASE
    WHEN instant_read BETWEEN TIMESTAMPTZ '{EARLIEST} 00:00:00+00' AND latest THEN NULL  -- the quick way first
    WHEN instant_read IS NULL AND clean(text) = '' THEN 'no timestamp'
    WHEN instant_read IS NULL AND try_cast(text AS DOUBLE) IS NOT NULL THEN {quoted(_OTHER_EPOCH)}
    WHEN instant_read IS NULL THEN '{NO_TIMESTAMP}'
    WHEN instant_read < TIMESTAMPTZ '{EARLIEST} 00:00:00+00' THEN 'timestamp before {EARLIEST}'
    WHEN instant_read > latest AND try_cast(text AS DOUBLE) IS NOT NULL
        THEN 'timestamp later than the run: does this number count from another year than 1970?'
    WHEN instant_read > latest THEN 'timestamp later than the run' END;
"""
