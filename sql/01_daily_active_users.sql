-- How many different users were active on each day, and how many events did they send?
SELECT
    event_date,
    COUNT(DISTINCT user_id) AS users,
    COUNT(*) AS events
FROM raw_events
GROUP BY event_date
ORDER BY event_date NULLS LAST;
