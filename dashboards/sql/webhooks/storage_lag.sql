-- Milliseconds from receiving a request to having it in ClickHouse, where the dashboards see it.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    quantile(0.95)(dateDiff('millisecond', received_at, stored_at)) AS "p95",
    max(dateDiff('millisecond', received_at, stored_at)) AS "Maximum"
FROM events
WHERE $__timeFilter(received_at)
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
HAVING count() > 0
