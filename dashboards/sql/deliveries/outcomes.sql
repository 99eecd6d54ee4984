-- Attempts over time by outcome.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    assumeNotNull((SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}')) AS zone,
    timezoneOffset(toTimeZone($__toTime, zone)) AS ahead
SELECT
    fromUnixTimestamp(intDiv(toUnixTimestamp(started_at) + ahead, $__interval_s ) * $__interval_s - ahead) AS time,
    countIf(outcome = 'delivered') AS "delivered",
    countIf(outcome = 'bad_status') AS "bad status",
    countIf(outcome = 'timeout') AS "timeout",
    countIf(outcome = 'no_connection') AS "no connection",
    countIf(outcome NOT IN ('delivered', 'bad_status', 'timeout', 'no_connection')) AS "other"
FROM attempts
WHERE $__timeFilter(started_at) AND kind = 'delivery'
    AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
GROUP BY time
ORDER BY time
