CREATE TABLE raw_events (
    event_time TIMESTAMP WITH TIME ZONE,
    user_id INTEGER,
    app_name VARCHAR,
    event_action VARCHAR,
    event_category VARCHAR,
    event_value INTEGER,
    event_id VARCHAR,
    received_time TIMESTAMP WITH TIME ZONE
);

CREATE TABLE enriched_events (
    event_time TIMESTAMP WITH TIME ZONE,
    user_id INTEGER,
    app_name VARCHAR,
    event_action VARCHAR,
    event_category VARCHAR,
    event_value INTEGER,
    u_count BIGINT,
    u_mp_ea VARCHAR
);
