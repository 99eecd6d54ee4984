-- Storage lag over time: milliseconds from receiving a request to having it in ClickHouse.
SELECT time, ms[1] AS "Median", ms[2] AS "p95", longest AS "Maximum"
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
