-- The time until a request was on disk (fsync), over time: median, p95 and p99 in milliseconds.
SELECT time, ms[1] AS "Median", ms[2] AS "p95", ms[3] AS "p99"
FROM
(
    SELECT $__timeInterval(Timestamp) AS time, quantiles(0.5, 0.95, 0.99)(toUInt64OrZero(SpanAttributes['hooktape.append.duration_us']) / 1000) AS ms
    FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanKind = 'Server' AND SpanName LIKE '% /hooks/%' AND SpanAttributes['hooktape.append.duration_us'] != ''
    GROUP BY time
)
ORDER BY time
