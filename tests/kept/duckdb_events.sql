-- For DuckDB: duckdb events.duckdb < THIS_FILE
-- Times are shown in the zone of the session. For UTC, in each: SET TimeZone = 'UTC'
-- A view can be made once its folder holds a file.

-- When a day is new, or gone: nothing to run.
CREATE OR REPLACE VIEW raw_events AS
SELECT
    event_time::timestamptz AS event_time,
    user_id::integer AS user_id,
    app_name::varchar AS app_name,
    event_action::varchar AS event_action,
    event_category::varchar AS event_category,
    event_value::integer AS event_value,
    event_id::varchar AS event_id,
    received_time::timestamptz AS received_time,
    try_cast(event_date AS date) AS event_date
FROM read_parquet('s3://bucket/events/raw/event_date=*/*.parquet', hive_partitioning = true, hive_types = {'event_date': varchar});

-- When a new version is published: nothing to run.
CREATE OR REPLACE VIEW enriched_events AS
SELECT
    event_time::timestamptz AS event_time,
    user_id::integer AS user_id,
    app_name::varchar AS app_name,
    event_action::varchar AS event_action,
    event_category::varchar AS event_category,
    event_value::integer AS event_value,
    u_count::bigint AS u_count,
    u_mp_ea::varchar AS u_mp_ea
FROM read_parquet('s3://bucket/events/enriched/*.parquet', hive_partitioning = false);
