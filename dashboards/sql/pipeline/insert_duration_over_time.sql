-- The duration of inserts into ClickHouse, over time: median, p95 and p99 in milliseconds.
SELECT time, ms[1] AS "Median", ms[2] AS "p95", ms[3] AS "p99"
FROM
(
    SELECT $__timeInterval(Timestamp) AS time, quantiles(0.5, 0.95, 0.99)(Duration / 1e6) AS ms
    FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanName = 'drain insert'
    GROUP BY time
)
ORDER BY time
