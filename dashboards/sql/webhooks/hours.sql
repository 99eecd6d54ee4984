-- Requests in each hour of the week: the average over the hours since the first request of the selected time.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    assumeNotNull((SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}')) AS zone,
    assumeNotNull((
        SELECT toDateTime(min(received_at))
        FROM events
        WHERE $__timeFilter(received_at)
            AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source)) AND accepted_by = ''
    )) AS oldest,
    toStartOfHour(oldest, zone) AS first,
    toUnixTimestamp(least($__toTime, now('UTC'))) AS until
SELECT
    ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][weekday] AS "Day",
    hours[1] AS "00", hours[2] AS "01", hours[3] AS "02", hours[4] AS "03", hours[5] AS "04", hours[6] AS "05",
    hours[7] AS "06", hours[8] AS "07", hours[9] AS "08", hours[10] AS "09", hours[11] AS "10", hours[12] AS "11",
    hours[13] AS "12", hours[14] AS "13", hours[15] AS "14", hours[16] AS "15", hours[17] AS "16", hours[18] AS "17",
    hours[19] AS "18", hours[20] AS "19", hours[21] AS "20", hours[22] AS "21", hours[23] AS "22", hours[24] AS "23"
FROM
(
    SELECT weekday, groupArrayInsertAt(0., 24)(n / passed, hour) AS hours
    FROM
    (
        SELECT toDayOfWeek(at, 0, zone) AS weekday, toHour(at, zone) AS hour, sum(requests) AS n, sum(passing) AS passed
        FROM
        (
            SELECT toStartOfHour(received_at, zone) AS at, count() AS requests, 0 AS passing
            FROM events
            WHERE $__timeFilter(received_at)
                AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source)) AND accepted_by = ''
            GROUP BY at
            UNION ALL
            SELECT first + 3600 * number AS at, 0 AS requests, 1 AS passing
            FROM numbers(if(toUnixTimestamp(oldest) = 0, 0, toUInt64(1 + greatest(0, intDiv(until - toUnixTimestamp(first), 3600)))))
        )
        GROUP BY weekday, hour
    )
    GROUP BY weekday
)
ORDER BY weekday
