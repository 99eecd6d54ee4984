-- Milliseconds from reading a request to having it on disk (fsync).
SELECT ms[1] AS "Median", ms[2] AS "p99"
FROM
(
    SELECT quantiles(0.5, 0.99)(toUInt64OrZero(SpanAttributes['hooktape.append.duration_us']) / 1000) AS ms
    FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanKind = 'Server' AND SpanName LIKE '% /hooks/%' AND SpanAttributes['hooktape.append.duration_us'] != ''
    HAVING count() > 0
)
