-- Milliseconds from having read a request to having it on disk for sure (fsync).
SELECT ms[1] AS "Half within", ms[2] AS "99 of 100 within"
FROM
(
    SELECT quantiles(0.5, 0.99)(toUInt64OrZero(SpanAttributes['hooktape.append.duration_us']) / 1000) AS ms
    FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanKind = 'Server' AND SpanName LIKE '% /hooks/%' AND SpanAttributes['hooktape.append.duration_us'] != ''
    HAVING count() > 0
)
