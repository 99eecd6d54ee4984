-- Milliseconds from receiving a request to having it in ClickHouse: the time in the spool and in the insert.
SELECT
    quantile(0.95)(dateDiff('millisecond', received_at, stored_at)) AS "p95",
    max(dateDiff('millisecond', received_at, stored_at)) AS "Maximum"
FROM events
WHERE $__timeFilter(received_at)
HAVING count() > 0
