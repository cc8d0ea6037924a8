-- Which events are stored more than once, how often, and when were they first and last received?
SELECT
    event_id,
    COUNT(*) AS copies,
    MIN(received_time) AS first_received,
    MAX(received_time) AS last_received
FROM raw_events
WHERE event_id IS NOT NULL
GROUP BY event_id
HAVING COUNT(*) > 1
ORDER BY copies DESC, event_id
LIMIT 100;
