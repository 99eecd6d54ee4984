-- Spans that ended with an error: in hooktape (answers with 5xx, failed inserts) and at endpoints (attempts that were not
-- taken); and what ClickHouse refused and lies in the table quarantine, of all time.
SELECT
    countIf(SpanName != 'deliver') AS "hooktape",
    countIf(SpanName = 'deliver') AS "Endpoints",
    (SELECT count() FROM quarantine) AS "Set aside"
FROM otel_traces
WHERE $__timeFilter(Timestamp) AND StatusCode = 'Error'
