-- The 95th percentile of the duration of delivery attempts at each endpoint, over time, in milliseconds. Invisible characters
-- before the names number them for the colours.
SELECT time, concat(repeat(unhex('E2808B'), (dense_rank() OVER (ORDER BY name) - 1) % 6 + 1), name) AS series, ms
FROM
(
    SELECT $__timeInterval(started_at) AS time, toString(endpoint) AS name, quantile(0.95)(duration_ms) AS ms
    FROM attempts
    WHERE $__timeFilter(started_at) AND kind = 'delivery' AND outcome != 'unknown'
    GROUP BY time, name
)
ORDER BY time, name
