-- For how many users is each action the favourite, how many of them are active now, and with how many events?
WITH users AS (
    SELECT DISTINCT user_id, u_count, u_mp_ea
    FROM enriched_events
    WHERE user_id IS NOT NULL
)
SELECT
    u_mp_ea AS favourite_action,
    COUNT(*) AS users,
    COUNT(u_count) AS active_users,
    COALESCE(SUM(u_count), 0) AS recent_events
FROM users
GROUP BY u_mp_ea
ORDER BY users DESC, favourite_action NULLS LAST
LIMIT 20;
