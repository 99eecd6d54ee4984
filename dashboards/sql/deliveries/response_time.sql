-- The time until endpoints responded, over time: median, p95 and p99 in milliseconds.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT time, ms[1] AS "Median", ms[2] AS "p95", ms[3] AS "p99"
FROM
(
    SELECT $__timeInterval(started_at) AS time, quantiles(0.5, 0.95, 0.99)(duration_ms) AS ms
    FROM attempts
    WHERE $__timeFilter(started_at) AND kind = 'delivery' AND outcome != 'unknown'
        AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
    GROUP BY time
)
ORDER BY time
