-- For Spark SQL: spark-sql -f THIS_FILE
-- Times are shown in the zone of the session. For UTC, in each: SET TIME ZONE 'UTC'
CREATE SCHEMA IF NOT EXISTS events;

CREATE TABLE IF NOT EXISTS events.raw_events (
    event_time timestamp,
    user_id int,
    app_name string,
    event_action string,
    event_category string,
    event_value int,
    event_id string,
    received_time timestamp,
    event_date date
)
USING PARQUET
PARTITIONED BY (event_date)
LOCATION 's3://bucket/events/raw';

-- Again whenever a day is new, or gone, and in a long session for new files:
MSCK REPAIR TABLE events.raw_events SYNC PARTITIONS;

-- When a new version is published, in a long session: REFRESH TABLE events.user_metrics
CREATE TABLE IF NOT EXISTS events.user_metrics (
    user_id int,
    u_count bigint,
    u_mp_ea string
)
USING PARQUET
LOCATION 's3://bucket/events/enriched';

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
