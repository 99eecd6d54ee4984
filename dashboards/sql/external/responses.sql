-- Backends' answers by endpoint and status. A request without a status got no answer.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    endpoint AS "Endpoint",
    if(status_code = 0, 'none', toString(status_code)) AS "Status",
    count() AS "Requests",
    quantile(0.95)(response_bytes) AS "p95 of bytes",
    max(started_at) AS "Last",
    argMax(error, started_at) AS "Last error"
FROM attempts
WHERE $__timeFilter(started_at) AND kind = 'forward'
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR event_id IN
    (
        SELECT id
        FROM events
        WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime
            AND has(chosen('${sources:percentencode}'), source)
    ))
GROUP BY endpoint, status_code
ORDER BY "Requests" DESC, endpoint, status_code
LIMIT 100
