-- The time of the last accepted request, in milliseconds since 1970, whatever time is selected.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT toUnixTimestamp64Milli(received_at) AS "Last request"
FROM events
WHERE verdict = 'accepted'
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
ORDER BY received_at DESC
LIMIT 1
