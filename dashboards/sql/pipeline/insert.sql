-- Inserts into ClickHouse: how many requests one has, and how many milliseconds it takes.
SELECT avg(toUInt64OrZero(SpanAttributes['hooktape.batch.rows'])) AS "Requests each", quantile(0.95)(Duration / 1e6) AS "95 of 100"
FROM otel_traces
WHERE $__timeFilter(Timestamp) AND SpanName = 'drain insert'
HAVING count() > 0
