-- Of the users who view a page, how many then click a button, and how many of those then scroll?
-- Each within 24 hours of the user's first page view.
WITH viewed AS (
    SELECT user_id, MIN(event_time) AS view_time
    FROM raw_events
    WHERE event_action = 'page_view' AND user_id IS NOT NULL
    GROUP BY user_id
),
clicked AS (
    SELECT v.user_id, v.view_time, MIN(e.event_time) AS click_time
    FROM viewed AS v
    JOIN raw_events AS e ON e.user_id = v.user_id
    WHERE e.event_action = 'button_click'
        AND e.event_time > v.view_time
        AND e.event_time <= v.view_time + INTERVAL '24' HOUR
    GROUP BY v.user_id, v.view_time
),
scrolled AS (
    SELECT c.user_id, MIN(e.event_time) AS scroll_time
    FROM clicked AS c
    JOIN raw_events AS e ON e.user_id = c.user_id
    WHERE e.event_action = 'scroll'
        AND e.event_time > c.click_time
        AND e.event_time <= c.view_time + INTERVAL '24' HOUR
    GROUP BY c.user_id
)
SELECT
    (SELECT COUNT(*) FROM viewed) AS viewed,
    (SELECT COUNT(*) FROM clicked) AS clicked,
    (SELECT COUNT(*) FROM scrolled) AS scrolled;
