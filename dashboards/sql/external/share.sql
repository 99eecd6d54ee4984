-- The share of the bots' waiting time that hooktape took, over time.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT $__timeInterval(started_at) AS time, sum(overhead_ms) / sum(duration_ms + overhead_ms) AS "In hooktape"
FROM attempts
WHERE $__timeFilter(started_at) AND kind = 'forward'
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR event_id IN
    (
        SELECT id
        FROM events
        WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime
            AND has(chosen('${sources:percentencode}'), source)
    ))
    AND outcome != 'unknown'
GROUP BY time
HAVING sum(duration_ms + overhead_ms) > 0
ORDER BY time
