-- Rejected or partly unreadable requests by source and reason.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    verdict AS "Result",
    source AS "Source",
    splitByString(', at byte', splitByString(' from byte', decode_error)[1])[1] AS "Unreadable",
    count() AS "Requests",
    max(received_at) AS "Last"
FROM events
WHERE $__timeFilter(received_at)
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source)) AND (verdict != 'accepted' OR decode_error != '')
GROUP BY ALL
ORDER BY "Requests" DESC
LIMIT 100
