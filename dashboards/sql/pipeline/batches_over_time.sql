-- The number of requests per insert into ClickHouse, over time.
SELECT
    $__timeInterval(Timestamp) AS time,
    avg(toUInt64OrZero(SpanAttributes['hooktape.batch.rows'])) AS "Average",
    max(toUInt64OrZero(SpanAttributes['hooktape.batch.rows'])) AS "Maximum"
FROM otel_traces
WHERE $__timeFilter(Timestamp) AND SpanName = 'drain insert'
GROUP BY time
ORDER BY time
