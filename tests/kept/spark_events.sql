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

-- When a new version is published, in a long session: REFRESH TABLE events.enriched_events
CREATE TABLE IF NOT EXISTS events.enriched_events (
    event_time timestamp,
    user_id int,
    app_name string,
    event_action string,
    event_category string,
    event_value int,
    u_count bigint,
    u_mp_ea string
)
USING PARQUET
LOCATION 's3://bucket/events/enriched';
