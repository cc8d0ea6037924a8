"""Names that own fields must not have: names the pipeline uses, and reserved words of SQL."""

from __future__ import annotations

_OURS = """
event_id received_time event_date event_name u_count u_mp_ea sent_at events
file_index file_row_number filename rowid
"""
RESERVED = frozenset(_OURS.split())
"""Names that the contract, its tables and their readers use besides the six fields.

The last four are columns that DuckDB adds to every file or table.
"""

_WORDS = """
all alter analyse analyze and anti any array as asc asof asymmetric at authorization between bigint
binary boolean both by cache case cast char character check collate collation column columns commit
concurrently conf constraint create cross cube current current_catalog current_date current_path
current_role current_schema current_time current_timestamp current_user cursor database date
dayofweek deallocate decimal default deferrable delete desc describe distinct div do double drop
else end escape except exchange execute exists extended external extract false fetch filter float
floor following for foreign freeze from full function generated glob grant group grouping having if
ilike import in initially inner insert int integer intersect interval into is isnull join
json_array json_exists json_object json_query json_table json_value lambda lateral leading left
less like limit listagg local localtime localtimestamp macro map merge minus more natural none
normalize not notnull null numeric of offset on only or order out outer over overlaps partialscan
partition percent pivot pivot_longer pivot_wider placing positional preceding precision prepare
preserve primary procedure qualify range reads real recursive reduce references regexp returning
revoke right rlike rollback rollup row rows select semi session_user set show similar skip smallint
some start struct summarize symmetric sync table tables tablesample then time timestamp timestamptz
tinyint to trailing transform trigger trim true truncate try_cast tuple uescape unbounded union
unique uniquejoin unknown unnest unpack unpivot update user using utc_timestamp values varchar
variadic verbose views when where window with within
"""
SQL_WORDS = frozenset(_WORDS.split())
"""Words that Trino, Presto, Athena, DuckDB or Spark accept as a column name only in quotes."""
