-- Spans with an error: in hooktape (responses with 5xx, failed inserts) and at endpoints (failed attempts and external
-- requests); and the rows in the table quarantine, which ClickHouse rejected, of all time.
SELECT
    countIf(SpanName NOT IN ('deliver', 'forward') AND SpanAttributes['hooktape.endpoint'] = '') AS "hooktape",
    countIf(SpanName IN ('deliver', 'forward')) AS "Endpoints",
    (SELECT count() FROM quarantine) AS "Quarantined"
FROM otel_traces
WHERE $__timeFilter(Timestamp) AND StatusCode = 'Error'
