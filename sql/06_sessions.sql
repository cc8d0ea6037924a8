-- How many sessions start on each day, how many events do they have on average, and how many have only one?
-- A session ends after 30 minutes without an event from the user.
WITH steps AS (
    SELECT
        user_id,
        event_date,
        event_time,
        LAG(event_time) OVER (PARTITION BY user_id ORDER BY event_time) AS previous_time
    FROM raw_events
    WHERE user_id IS NOT NULL AND event_time IS NOT NULL
),
numbered AS (
    SELECT
        user_id,
        event_date,
        SUM(
            CASE
                WHEN previous_time IS NULL THEN 1
                WHEN event_time > previous_time + INTERVAL '30' MINUTE THEN 1
                ELSE 0
            END
        ) OVER (PARTITION BY user_id ORDER BY event_time) AS session_number
    FROM steps
),
sessions AS (
    SELECT user_id, session_number, MIN(event_date) AS event_date, COUNT(*) AS events
    FROM numbered
    GROUP BY user_id, session_number
)
SELECT
    event_date,
    COUNT(*) AS sessions,
    AVG(CAST(events AS DOUBLE)) AS average_events,
    COUNT(CASE WHEN events = 1 THEN 1 END) AS of_one_event
FROM sessions
GROUP BY event_date
ORDER BY event_date;
