-- External requests over time by what the bot got.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    assumeNotNull((SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}')) AS zone,
    timezoneOffset(toTimeZone($__toTime, zone)) AS ahead
SELECT
    fromUnixTimestamp(intDiv(toUnixTimestamp(started_at) + ahead, $__interval_s ) * $__interval_s - ahead) AS time,
    countIf(fallback = '' AND outcome NOT IN ('timeout', 'broken_answer', 'unknown')) AS "backend's answer",
    countIf(fallback = '' AND outcome IN ('timeout', 'broken_answer')) AS "broken off",
    countIf(fallback = 'deadline') AS "fallback: deadline",
    countIf(fallback = 'refused') AS "fallback: no connection",
    countIf(fallback = 'failing') AS "fallback: endpoint failing",
    countIf(fallback = 'in_flight') AS "fallback: too many at once",
    countIf(fallback NOT IN ('', 'deadline', 'refused', 'failing', 'in_flight')) AS "fallback: other",
    countIf(fallback = '' AND outcome = 'unknown') AS "unknown"
FROM attempts
WHERE $__timeFilter(started_at) AND kind = 'forward'
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR event_id IN
    (
        SELECT id
        FROM events
        WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime
            AND has(chosen('${sources:percentencode}'), source)
    ))
GROUP BY time
ORDER BY time
