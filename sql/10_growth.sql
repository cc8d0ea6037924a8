-- How many new users came on each day, and how many users were there by then?
WITH first_days AS (
    SELECT user_id, MIN(event_date) AS event_date
    FROM raw_events
    WHERE user_id IS NOT NULL AND event_date IS NOT NULL
    GROUP BY user_id
),
growth AS (
    SELECT event_date, COUNT(*) AS new_users
    FROM first_days
    GROUP BY event_date
)
SELECT
    event_date,
    new_users,
    SUM(new_users) OVER (
        ORDER BY event_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS users_in_all
FROM growth
ORDER BY event_date;
