-- External requests of bots: how many, and how many got the backend's answer or the fallback.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    count() AS "Requests",
    count() / greatest(1, dateDiff('second', $__fromTime, $__toTime)) * 60 AS "Per minute",
    countIf(fallback = '' AND outcome NOT IN ('timeout', 'broken_answer', 'unknown')) / count() AS "Answered by the backend",
    countIf(fallback != '') AS "Fallbacks",
    countIf(fallback = '' AND outcome IN ('timeout', 'broken_answer', 'unknown')) AS "Broken off",
    countIf(notEmpty(missing_keys)) AS "Missing keys"
FROM attempts
WHERE $__timeFilter(started_at) AND kind = 'forward'
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR event_id IN
    (
        SELECT id
        FROM events
        WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime
            AND has(chosen('${sources:percentencode}'), source)
    ))
HAVING count() > 0
