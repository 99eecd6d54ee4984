-- Milliseconds that a bot waited for the answer, and the share of them that hooktape took.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT ms[1] AS "Median", ms[2] AS "p95", ms[3] AS "p99", share AS "In hooktape"
FROM
(
    SELECT
        quantiles(0.5, 0.95, 0.99)(duration_ms + overhead_ms) AS ms,
        if(sum(duration_ms + overhead_ms) = 0, NULL, sum(overhead_ms) / sum(duration_ms + overhead_ms)) AS share
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
    HAVING count() > 0
)
