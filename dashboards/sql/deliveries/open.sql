-- Open deliveries, and the age of the oldest in seconds, whatever time is selected.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT count() AS "Open", if(count() = 0, 0, dateDiff('second', min(created_at), now64(6))) AS "Oldest"
FROM deliveries FINAL
WHERE state IN ('pending', 'delivering', 'retrying', 'unknown')
    AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
