-- How long after they happened were each day's events received?
SELECT
    event_date,
    COUNT(CASE WHEN received_time <= event_time + INTERVAL '1' SECOND THEN 1 END) AS within_second,
    COUNT(CASE WHEN received_time <= event_time + INTERVAL '1' MINUTE THEN 1 END) AS within_minute,
    COUNT(CASE WHEN received_time <= event_time + INTERVAL '1' HOUR THEN 1 END) AS within_hour,
    COUNT(CASE WHEN received_time <= event_time + INTERVAL '24' HOUR THEN 1 END) AS within_day,
    COUNT(received_time) AS events
FROM raw_events
WHERE event_time IS NOT NULL
GROUP BY event_date
ORDER BY event_date;
