-- Milliseconds from reading a request's header to the response. External requests, which wait for an endpoint, do not count.
SELECT ms[1] AS "Median", ms[2] AS "p99"
FROM
(
    SELECT quantiles(0.5, 0.99)(Duration / 1e6) AS ms
    FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanKind = 'Server' AND SpanName LIKE '% /hooks/%' AND SpanAttributes['hooktape.endpoint'] = ''
    HAVING count() > 0
)
