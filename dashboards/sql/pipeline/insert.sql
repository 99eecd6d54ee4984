-- Inserts into ClickHouse: the average number of requests, and the duration in milliseconds.
SELECT avg(toUInt64OrZero(SpanAttributes['hooktape.batch.rows'])) AS "Batch size", quantile(0.95)(Duration / 1e6) AS "p95"
FROM otel_traces
WHERE $__timeFilter(Timestamp) AND SpanName = 'drain insert'
HAVING count() > 0
