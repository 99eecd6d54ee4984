-- External requests by source and step: how many, how long the bot waited, and what it got. Times are in milliseconds.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    asked AS
    (
        SELECT event_id, outcome, fallback, missing_keys, duration_ms + overhead_ms AS took, overhead_ms
        FROM attempts
        WHERE $__timeFilter(started_at) AND kind = 'forward'
            AND (decodeURLComponent('${sources:percentencode}') = '*' OR event_id IN
            (
                SELECT id
                FROM events
                WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime
                    AND has(chosen('${sources:percentencode}'), source)
            ))
    )
SELECT
    source AS "Source",
    step AS "Step",
    requests AS "Requests",
    ms[1] AS "Median",
    ms[2] AS "p95",
    ms[3] AS "p99",
    fallbacks AS "Fallbacks",
    fallbacks / requests AS "Fallback share",
    broken AS "Broken off",
    missing AS "Missing keys",
    share AS "In hooktape"
FROM
(
    SELECT
        source,
        step,
        count() AS requests,
        arrayMap(q -> if(isNaN(q), NULL, q), quantilesIf(0.5, 0.95, 0.99)(took, outcome != 'unknown')) AS ms,
        countIf(fallback != '') AS fallbacks,
        countIf(fallback = '' AND outcome IN ('timeout', 'broken_answer', 'unknown')) AS broken,
        countIf(notEmpty(missing_keys)) AS missing,
        if(sum(took) = 0, NULL, sum(overhead_ms) / sum(took)) AS share
    FROM asked
    LEFT JOIN
    (
        SELECT id, source, step
        FROM events
        WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime AND id IN (SELECT event_id FROM asked)
    ) AS events ON events.id = asked.event_id
    GROUP BY source, step
)
ORDER BY "Requests" DESC, "Source", "Step"
LIMIT 200
