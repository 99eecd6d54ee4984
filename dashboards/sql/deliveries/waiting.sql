-- Deliveries that are not at their end now, and for how many seconds the oldest has waited, whatever time is chosen.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT count() AS "Waiting", if(count() = 0, 0, dateDiff('second', min(created_at), now64(6))) AS "The oldest for"
FROM deliveries FINAL
WHERE state IN ('pending', 'delivering', 'retrying', 'unknown')
    AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
