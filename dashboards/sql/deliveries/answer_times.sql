-- How long endpoints took to answer, over time: half, 95 and 99 of 100 attempts within so many milliseconds.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT time, ms[1] AS "Half within", ms[2] AS "95 of 100 within", ms[3] AS "99 of 100 within"
FROM
(
    SELECT $__timeInterval(started_at) AS time, quantiles(0.5, 0.95, 0.99)(duration_ms) AS ms
    FROM attempts
    WHERE $__timeFilter(started_at) AND outcome != 'unknown'
        AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
    GROUP BY time
)
ORDER BY time
