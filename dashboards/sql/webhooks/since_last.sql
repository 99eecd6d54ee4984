-- Seconds since the last accepted request, whatever time is selected.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT dateDiff('second', received_at, now64(6)) AS "Ago"
FROM events
WHERE verdict = 'accepted'
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
ORDER BY received_at DESC
LIMIT 1
