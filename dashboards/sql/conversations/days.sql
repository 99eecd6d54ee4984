-- Subscribers with a request on each day: those whose first request ever was on that day, and the others.
WITH
    (SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}') AS zone,
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    day AS time,
    countIf(day = toStartOfDay(first, zone)) AS "New",
    countIf(day > toStartOfDay(first, zone)) AS "Returning"
FROM
(
    SELECT
        min(received_at) AS first,
        groupUniqArrayIf(toStartOfDay(received_at, zone), received_at >= $__fromTime) AS days
    FROM events
    WHERE received_at <= $__toTime AND verdict = 'accepted' AND bothelp_user_id != ''
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
        AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
    GROUP BY bothelp_user_id
)
ARRAY JOIN days AS day
GROUP BY time
ORDER BY time
