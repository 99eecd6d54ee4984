-- Fallbacks by source, reason and error.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    asked AS
    (
        SELECT event_id, started_at, endpoint, fallback, error
        FROM attempts
        WHERE $__timeFilter(started_at) AND kind = 'forward'
            AND (decodeURLComponent('${sources:percentencode}') = '*' OR event_id IN
            (
                SELECT id
                FROM events
                WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime
                    AND has(chosen('${sources:percentencode}'), source)
            ))
            AND fallback != ''
    )
SELECT
    source AS "Source",
    endpoint AS "Endpoint",
    fallback AS "Reason",
    count() AS "Fallbacks",
    max(started_at) AS "Last",
    argMax(error, started_at) AS "Last error",
    toString(argMax(event_id, started_at)) AS "Request"
FROM asked
LEFT JOIN
(
    SELECT id, source, step
    FROM events
    WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime AND id IN (SELECT event_id FROM asked)
) AS events ON events.id = asked.event_id
GROUP BY source, endpoint, fallback
ORDER BY "Fallbacks" DESC, source, endpoint, fallback
LIMIT 100
