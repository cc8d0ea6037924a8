-- Which actions are most frequent, how many users take them, and what is their average value?
SELECT
    event_category,
    event_action,
    COUNT(*) AS events,
    COUNT(DISTINCT user_id) AS users,
    AVG(CAST(event_value AS DOUBLE)) AS average_value
FROM raw_events
WHERE event_action IS NOT NULL
GROUP BY event_category, event_action
ORDER BY events DESC, event_category NULLS LAST, event_action
LIMIT 20;
