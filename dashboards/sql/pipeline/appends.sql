-- How long it took to have a request on disk for sure (fsync), over time: half, 95 and 99 of 100 within so many
-- milliseconds.
SELECT time, ms[1] AS "Half within", ms[2] AS "95 of 100 within", ms[3] AS "99 of 100 within"
FROM
(
    SELECT $__timeInterval(Timestamp) AS time, quantiles(0.5, 0.95, 0.99)(toUInt64OrZero(SpanAttributes['hooktape.append.duration_us']) / 1000) AS ms
    FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanKind = 'Server' AND SpanName LIKE '% /hooks/%' AND SpanAttributes['hooktape.append.duration_us'] != ''
    GROUP BY time
)
ORDER BY time
