-- Subscribers with a request on each day: new ones, whose first request ever was on that day, and returning ones.
WITH
    (SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}') AS zone,
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    period AS time,
    sum(fresh) AS "New",
    sum(active) - sum(fresh) AS "Returning"
FROM
(
    SELECT toStartOfDay(received_at, zone) AS period, uniqExact(subscriber_key) AS active, 0 AS fresh
    FROM events
    WHERE $__timeFilter(received_at) AND verdict = 'accepted' AND subscriber_key != 0
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
        AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
    GROUP BY period
    UNION ALL
    SELECT toStartOfDay(first, zone) AS period, 0, count()
    FROM
    (
        SELECT min(received_at) AS first
        FROM events
        WHERE verdict = 'accepted' AND subscriber_key != 0
            AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
            AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
        GROUP BY subscriber_key
    )
    WHERE first >= $__fromTime AND first <= $__toTime
    GROUP BY period
)
GROUP BY time
ORDER BY time
