-- Requests sent to endpoints, those sent again among them, and the milliseconds until the answer (or the end of waiting).
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    count() AS "Attempts",
    countIf(number > 1) AS "Not the first",
    quantile(0.5)(duration_ms) AS "Half within",
    quantile(0.95)(duration_ms) AS "95 of 100 within"
FROM attempts
WHERE $__timeFilter(started_at)
    AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
HAVING count() > 0
