-- Subscribers with a request in this time, those whose first request ever was in it, and conversations closed and profiles
-- viewed without BotHelp's retries.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    sum(active) AS "Active subscribers",
    sum(fresh) AS "New",
    sum(active) - sum(fresh) AS "Returning",
    sum(closed) AS "Conversations closed",
    sum(viewed) AS "Profiles viewed"
FROM
(
    SELECT
        uniqExact(subscriber_key) AS active,
        0 AS fresh,
        countIf(kind = 'conversation_closed' AND duplicate_of = toUUID('00000000-0000-0000-0000-000000000000')) AS closed,
        countIf(kind = 'user_profile_viewed' AND duplicate_of = toUUID('00000000-0000-0000-0000-000000000000')) AS viewed
    FROM events
    WHERE $__timeFilter(received_at) AND verdict = 'accepted' AND subscriber_key != 0
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
        AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
    UNION ALL
    SELECT 0, count(), 0, 0
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
)
