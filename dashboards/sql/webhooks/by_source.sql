-- Requests over time by source. Requests to unknown sources are one series. Invisible characters before the other names
-- number them for the colours.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    assumeNotNull((SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}')) AS zone,
    timezoneOffset(toTimeZone($__toTime, zone)) AS ahead
SELECT
    time,
    if(unknown, name, concat(repeat(unhex('E2808B'), (dense_rank() OVER (ORDER BY unknown, name) - 1) % 6 + 1), name)) AS series,
    requests
FROM
(
    SELECT
        fromUnixTimestamp(intDiv(toUnixTimestamp(received_at) + ahead, $__interval_s ) * $__interval_s - ahead) AS time,
        verdict = 'unknown_source' OR (verdict = 'malformed' AND source = '') AS unknown,
        multiIf(unknown, '(unknown source)', source = '', '(none)', toString(source)) AS name,
        count() AS requests
    FROM events
    WHERE $__timeFilter(received_at)
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source)) AND accepted_by = ''
    GROUP BY time, unknown, name
)
ORDER BY time, unknown, name
