-- For Athena, one statement at a time. Times are shown to the millisecond.
CREATE DATABASE IF NOT EXISTS events;

-- New days need no registration. Days outside the range are not seen, without an error. To widen it:
-- ALTER TABLE events.raw_events SET TBLPROPERTIES ('projection.event_date.range' = '2020-01-01,NOW+1DAY')
CREATE EXTERNAL TABLE IF NOT EXISTS events.raw_events (
    event_time timestamp,
    user_id int,
    app_name string,
    event_action string,
    event_category string,
    event_value int,
    event_id string,
    received_time timestamp
)
PARTITIONED BY (event_date date)
STORED AS PARQUET
LOCATION 's3://bucket/events/raw/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.event_date.type' = 'date',
    'projection.event_date.format' = 'yyyy-MM-dd',
    'projection.event_date.range' = 'NOW-3YEARS,NOW+1DAY',
    'projection.event_date.interval' = '1',
    'projection.event_date.interval.unit' = 'DAYS'
);

-- When a new version is published, once its folder is in S3:
-- ALTER TABLE events.user_metrics SET LOCATION 's3://bucket/events/enriched/VERSION/'
CREATE EXTERNAL TABLE IF NOT EXISTS events.user_metrics (
    user_id int,
    u_count bigint,
    u_mp_ea string
)
STORED AS PARQUET
LOCATION 's3://bucket/events/enriched/VERSION/';

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
