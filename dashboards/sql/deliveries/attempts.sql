-- Requests sent to endpoints, the retries among them, and the milliseconds until the response or the timeout.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    count() AS "Attempts",
    countIf(number > 1) AS "Retries",
    quantile(0.5)(duration_ms) AS "Median",
    quantile(0.95)(duration_ms) AS "p95"
FROM attempts
WHERE $__timeFilter(started_at) AND kind = 'delivery'
    AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
HAVING count() > 0
