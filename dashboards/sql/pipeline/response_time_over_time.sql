-- The time until BotHelp got a response, over time: median, p95 and p99 in milliseconds. External requests, which wait for
-- an endpoint, do not count.
SELECT time, ms[1] AS "Median", ms[2] AS "p95", ms[3] AS "p99"
FROM
(
    SELECT $__timeInterval(Timestamp) AS time, quantiles(0.5, 0.95, 0.99)(Duration / 1e6) AS ms
    FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanKind = 'Server' AND SpanName LIKE '% /hooks/%' AND SpanAttributes['hooktape.endpoint'] = ''
    GROUP BY time
)
ORDER BY time
