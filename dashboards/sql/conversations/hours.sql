-- Requests of subscribers by the hour of the week.
WITH
    (SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}') AS zone,
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][toDayOfWeek(received_at, 0, zone)] AS "Day",
    countIf(toHour(received_at, zone) = 0) AS "00",
    countIf(toHour(received_at, zone) = 1) AS "01",
    countIf(toHour(received_at, zone) = 2) AS "02",
    countIf(toHour(received_at, zone) = 3) AS "03",
    countIf(toHour(received_at, zone) = 4) AS "04",
    countIf(toHour(received_at, zone) = 5) AS "05",
    countIf(toHour(received_at, zone) = 6) AS "06",
    countIf(toHour(received_at, zone) = 7) AS "07",
    countIf(toHour(received_at, zone) = 8) AS "08",
    countIf(toHour(received_at, zone) = 9) AS "09",
    countIf(toHour(received_at, zone) = 10) AS "10",
    countIf(toHour(received_at, zone) = 11) AS "11",
    countIf(toHour(received_at, zone) = 12) AS "12",
    countIf(toHour(received_at, zone) = 13) AS "13",
    countIf(toHour(received_at, zone) = 14) AS "14",
    countIf(toHour(received_at, zone) = 15) AS "15",
    countIf(toHour(received_at, zone) = 16) AS "16",
    countIf(toHour(received_at, zone) = 17) AS "17",
    countIf(toHour(received_at, zone) = 18) AS "18",
    countIf(toHour(received_at, zone) = 19) AS "19",
    countIf(toHour(received_at, zone) = 20) AS "20",
    countIf(toHour(received_at, zone) = 21) AS "21",
    countIf(toHour(received_at, zone) = 22) AS "22",
    countIf(toHour(received_at, zone) = 23) AS "23"
FROM events
WHERE $__timeFilter(received_at) AND verdict = 'accepted' AND subscriber_key != 0
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
    AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
GROUP BY toDayOfWeek(received_at, 0, zone)
ORDER BY toDayOfWeek(received_at, 0, zone)
