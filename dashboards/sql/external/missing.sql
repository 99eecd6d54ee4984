-- Expected keys that the backend's answers lacked, by source and step.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    asked AS
    (
        SELECT event_id, started_at, missing_keys
        FROM attempts
        WHERE $__timeFilter(started_at) AND kind = 'forward'
            AND (decodeURLComponent('${sources:percentencode}') = '*' OR event_id IN
            (
                SELECT id
                FROM events
                WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime
                    AND has(chosen('${sources:percentencode}'), source)
            ))
            AND notEmpty(missing_keys)
    )
SELECT
    source AS "Source",
    step AS "Step",
    key AS "Key",
    count() AS "Answers",
    max(started_at) AS "Last",
    toString(argMax(event_id, started_at)) AS "Request"
FROM asked
ARRAY JOIN missing_keys AS key
LEFT JOIN
(
    SELECT id, source, step
    FROM events
    WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime AND id IN (SELECT event_id FROM asked)
) AS events ON events.id = asked.event_id
GROUP BY source, step, key
ORDER BY "Answers" DESC, source, step, key
LIMIT 200
