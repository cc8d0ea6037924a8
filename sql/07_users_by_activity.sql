-- How many users are active on one day, on two, on three and so on, and how many events do they send?
WITH activity AS (
    SELECT
        user_id,
        COUNT(DISTINCT event_date) AS days,
        COUNT(*) AS events
    FROM raw_events
    WHERE user_id IS NOT NULL
    GROUP BY user_id
)
SELECT
    days AS active_days,
    COUNT(*) AS users,
    SUM(events) AS events
FROM activity
GROUP BY days
ORDER BY days;
