-- Subscribers with a request in each week from Monday on: those whose first request ever was in that week, and the others.
WITH
    (SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}') AS zone,
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    toStartOfDay(toDateTime(toString(week), zone), zone) AS time,
    countIf(week = toStartOfWeek(first, 1, zone)) AS "New",
    countIf(week > toStartOfWeek(first, 1, zone)) AS "Returning"
FROM
(
    SELECT
        min(received_at) AS first,
        groupUniqArrayIf(toStartOfWeek(received_at, 1, zone), received_at >= $__fromTime) AS weeks
    FROM events
    WHERE received_at <= $__toTime AND verdict = 'accepted' AND bothelp_user_id != ''
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
        AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
    GROUP BY bothelp_user_id
)
ARRAY JOIN weeks AS week
GROUP BY time
ORDER BY time
