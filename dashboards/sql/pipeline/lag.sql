-- How long requests waited for ClickHouse, over time: from receiving them to having them stored, in milliseconds.
SELECT time, ms[1] AS "Half within", ms[2] AS "95 of 100 within", longest AS "Longest"
FROM
(
    SELECT
        $__timeInterval(received_at) AS time,
        quantiles(0.5, 0.95)(dateDiff('millisecond', received_at, stored_at)) AS ms,
        max(dateDiff('millisecond', received_at, stored_at)) AS longest
    FROM events
    WHERE $__timeFilter(received_at)
    GROUP BY time
)
ORDER BY time
