-- Each endpoint: its state, its deliveries in the selected time, and its open deliveries.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    ['failing', 'paused', 'active', 'removed'] AS states
SELECT
    endpoint AS "Endpoint",
    if(max(known.1) = 0, 'adhoc', states[length(states) + 1 - max(known.1)]) AS "State",
    if(sum(delivered) + sum(failed) = 0, NULL, sum(delivered) / (sum(delivered) + sum(failed))) AS "Success",
    sum(delivered) AS "Delivered",
    sum(failed) AS "Failed",
    sum(waiting) AS "Open",
    if("Open" = 0, NULL, dateDiff('second', maxIf(oldest, waiting > 0), now64(6))) AS "Oldest",
    sum(attempts) AS "Attempts",
    if("Attempts" = 0, NULL, max(slow)) AS "p95",
    max(known).2 AS "Last error",
    if("Failed" = 0, '', endpoint) AS "Replay"
FROM
(
    SELECT
        toString(endpoint) AS endpoint,
        countIf(state = 'delivered') AS delivered,
        countIf(state = 'failed') AS failed,
        countIf(state NOT IN ('delivered', 'failed')) AS waiting,
        minIf(created_at, state NOT IN ('delivered', 'failed')) AS oldest,
        0 AS attempts,
        0. AS slow,
        (0, '') AS known
    FROM deliveries FINAL
    WHERE (state IN ('pending', 'delivering', 'retrying', 'unknown')
            OR $__timeFilter(updated_at) AND state IN ('delivered', 'failed'))
        AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
    GROUP BY endpoint
    UNION ALL
    SELECT toString(endpoint), 0, 0, 0, toDateTime64(0, 6, 'UTC'), count(), quantile(0.95)(duration_ms), (0, '')
    FROM attempts
    WHERE $__timeFilter(started_at) AND kind = 'delivery'
        AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
    GROUP BY endpoint
    UNION ALL
    SELECT endpoint, 0, 0, 0, toDateTime64(0, 6, 'UTC'), 0, 0.,
        (length(states) + 1 - indexOf(states, argMax(state, updated_at)), argMax(reason, updated_at))
    FROM endpoint_states
    WHERE endpoint NOT LIKE '%://%'
        AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
    GROUP BY endpoint
)
GROUP BY endpoint
ORDER BY indexOf(arrayConcat(states, ['adhoc']), "State"), endpoint
