-- How long inserts into ClickHouse took, over time: half, 95 and 99 of 100 within so many milliseconds.
SELECT time, ms[1] AS "Half within", ms[2] AS "95 of 100 within", ms[3] AS "99 of 100 within"
FROM
(
    SELECT $__timeInterval(Timestamp) AS time, quantiles(0.5, 0.95, 0.99)(Duration / 1e6) AS ms
    FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanName = 'drain insert'
    GROUP BY time
)
ORDER BY time
