-- Requests over time by source; (no such source) for URLs of unknown sources. Invisible characters before the other names
-- number them for the colours.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    assumeNotNull((SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}')) AS zone,
    timezoneOffset(toTimeZone($__toTime, zone)) AS ahead
SELECT
    time,
    if(stranger, name, concat(repeat(unhex('E2808B'), (dense_rank() OVER (ORDER BY stranger, name) - 1) % 6 + 1), name)) AS series,
    requests
FROM
(
    SELECT
        fromUnixTimestamp(intDiv(toUnixTimestamp(received_at) + ahead, $__interval_s ) * $__interval_s - ahead) AS time,
        verdict = 'unknown_source' OR (verdict = 'malformed' AND source = '') AS stranger,
        multiIf(stranger, '(no such source)', source = '', '(none)', toString(source)) AS name,
        count() AS requests
    FROM events
    WHERE $__timeFilter(received_at)
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
    GROUP BY time, stranger, name
)
ORDER BY time, stranger, name
