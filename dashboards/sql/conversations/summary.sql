-- Subscribers with a request in this time; those whose first request ever was in it; conversations closed and profiles
-- viewed, BotHelp's repetitions not counted.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    count() AS "Active subscribers",
    countIf(first >= $__fromTime) AS "New",
    countIf(first < $__fromTime) AS "Returning",
    sum(closed) AS "Conversations closed",
    sum(viewed) AS "Profiles viewed"
FROM
(
    SELECT
        min(received_at) AS first,
        countIf(received_at >= $__fromTime) AS requests,
        countIf(received_at >= $__fromTime AND kind = 'conversation_closed' AND duplicate_of = toUUID('00000000-0000-0000-0000-000000000000')) AS closed,
        countIf(received_at >= $__fromTime AND kind = 'user_profile_viewed' AND duplicate_of = toUUID('00000000-0000-0000-0000-000000000000')) AS viewed
    FROM events
    WHERE received_at <= $__toTime AND verdict = 'accepted' AND bothelp_user_id != ''
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
        AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
    GROUP BY bothelp_user_id
)
WHERE requests > 0
