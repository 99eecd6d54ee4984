-- Rejected requests over time by reason, and partly unreadable ones.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    assumeNotNull((SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}')) AS zone,
    timezoneOffset(toTimeZone($__toTime, zone)) AS ahead
SELECT
    fromUnixTimestamp(intDiv(toUnixTimestamp(received_at) + ahead, $__interval_s ) * $__interval_s - ahead) AS time,
    if(verdict = 'accepted', 'partly unreadable', replaceAll(toString(verdict), '_', ' ')) AS series,
    count() AS requests
FROM events
WHERE $__timeFilter(received_at)
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source)) AND accepted_by = '' AND (verdict != 'accepted' OR decode_error != '')
GROUP BY time, series
ORDER BY time, series
