-- Replays that were created in the selected time or are still open, and their progress.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    created_at AS "Created",
    created_by AS "By",
    endpoint AS "Endpoint",
    multiIf(state != 'done', state, counts['failed'] > 0, 'completed_with_failures', 'completed') AS "State",
    if(total = 0, NULL, counts['delivered'] / total) AS "Delivered",
    total AS "Requests",
    counts['failed'] AS "Failed",
    total - counts['delivered'] - counts['failed'] - counts['cancelled'] AS "Open",
    nullIf(per_second, 0) AS "Per second",
    if("Open" = 0 OR per_second = 0 OR state != 'running', NULL, "Open" / per_second) AS "Time left",
    reason AS "Error",
    toString(id) AS "Replay"
FROM replays FINAL
WHERE ($__timeFilter(created_at) OR state NOT IN ('done', 'completed', 'completed_with_failures', 'cancelled'))
    AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
ORDER BY created_at DESC
LIMIT 100
