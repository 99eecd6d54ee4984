-- The slowest traces of the selected time: twenty requests, twenty inserts, and twenty delivery attempts or
-- external requests.
SELECT
    Timestamp AS "Started",
    multiIf(SpanName = 'deliver', 'delivery attempt', SpanName = 'forward', 'external request', SpanName = 'drain insert', 'insert', 'request') AS "Operation",
    multiIf(
        SpanName = 'deliver', concat(SpanAttributes['hooktape.endpoint'], ', attempt ', SpanAttributes['hooktape.attempt']),
        SpanName = 'forward', SpanAttributes['hooktape.endpoint'],
        SpanName = 'drain insert', concat(SpanAttributes['hooktape.batch.rows'], ' requests'),
        concat(SpanAttributes['hooktape.source'],
            if(SpanAttributes['hooktape.step'] = '', '', concat(' / ', SpanAttributes['hooktape.step'])))) AS "Details",
    Duration / 1e6 AS "Duration",
    if(StatusCode = 'Error', 'error', 'ok') AS "Result",
    if(StatusMessage = '', SpanAttributes['http.response.status_code'], StatusMessage) AS "Response",
    TraceId AS "Trace"
FROM
(
    SELECT * FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanKind = 'Server' AND SpanName LIKE '% /hooks/%' AND SpanAttributes['hooktape.endpoint'] = ''
    ORDER BY Duration DESC
    LIMIT 20
    UNION ALL
    SELECT * FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanName = 'drain insert'
    ORDER BY Duration DESC
    LIMIT 20
    UNION ALL
    SELECT * FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanName IN ('deliver', 'forward')
    ORDER BY Duration DESC
    LIMIT 20
)
ORDER BY Duration DESC
