-- For Trino: trino --catalog hive -f THIS_FILE
-- The catalog needs hive.timestamp-precision=MICROSECONDS, for file:// also fs.hadoop.enabled=true
CREATE SCHEMA IF NOT EXISTS events;

CREATE TABLE IF NOT EXISTS events.raw_events (
    event_time timestamp(6),
    user_id integer,
    app_name varchar,
    event_action varchar,
    event_category varchar,
    event_value integer,
    event_id varchar,
    received_time timestamp(6),
    event_date date
)
WITH (
    format = 'PARQUET',
    external_location = 's3://bucket/events/raw',
    partitioned_by = ARRAY['event_date']
);

-- Again whenever a day is new, or gone:
CALL system.sync_partition_metadata('events', 'raw_events', 'FULL');

-- When a new version is published: nothing to run.
CREATE TABLE IF NOT EXISTS events.user_metrics (
    user_id integer,
    u_count bigint,
    u_mp_ea varchar
)
WITH (
    format = 'PARQUET',
    external_location = 's3://bucket/events/enriched'
);

-- The enriched table. Where one of this name is a table: drop that, its files stay.
CREATE OR REPLACE VIEW events.enriched_events AS
SELECT
    r.event_time,
    r.user_id,
    r.app_name,
    r.event_action,
    r.event_category,
    r.event_value,
    m.u_count,
    m.u_mp_ea
FROM events.raw_events AS r
LEFT JOIN events.user_metrics AS m ON r.user_id = m.user_id;
