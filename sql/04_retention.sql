-- Of the users who first came in a week, how many came again in each of the four weeks after it?
-- Weeks start on Monday.
WITH active AS (
    SELECT DISTINCT
        user_id,
        CAST(DATE_TRUNC('week', event_date) AS DATE) AS week
    FROM raw_events
    WHERE user_id IS NOT NULL AND event_date IS NOT NULL
),
cohorts AS (
    SELECT user_id, MIN(week) AS first_week
    FROM active
    GROUP BY user_id
)
SELECT
    c.first_week,
    COUNT(DISTINCT c.user_id) AS users,
    COUNT(CASE WHEN a.week = CAST(c.first_week + INTERVAL '7' DAY AS DATE) THEN 1 END) AS week_1,
    COUNT(CASE WHEN a.week = CAST(c.first_week + INTERVAL '14' DAY AS DATE) THEN 1 END) AS week_2,
    COUNT(CASE WHEN a.week = CAST(c.first_week + INTERVAL '21' DAY AS DATE) THEN 1 END) AS week_3,
    COUNT(CASE WHEN a.week = CAST(c.first_week + INTERVAL '28' DAY AS DATE) THEN 1 END) AS week_4
FROM cohorts AS c
JOIN active AS a ON a.user_id = c.user_id
GROUP BY c.first_week
ORDER BY c.first_week;
