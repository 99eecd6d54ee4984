-- Deliveries that are open now, by endpoint and state, whatever time is selected.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    endpoint AS "Endpoint",
    state AS "State",
    count() AS "Deliveries",
    min(created_at) AS "Oldest since",
    if(max(next_at) <= toDateTime(0), NULL, minIf(next_at, next_at > toDateTime(0))) AS "Next attempt"
FROM deliveries FINAL
WHERE state IN ('pending', 'delivering', 'retrying', 'unknown')
    AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
GROUP BY endpoint, state
ORDER BY "Deliveries" DESC
LIMIT 100
