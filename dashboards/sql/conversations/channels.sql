-- By messenger: subscribers with a request in this time, the new ones of them, and the conversations of an average one.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    if(its_channel = '', '(unknown)', its_channel) AS "Channel",
    count() AS "Active subscribers",
    countIf(first >= $__fromTime) AS "New",
    countIf(first < $__fromTime) AS "Returning",
    sum(closed) AS "Conversations closed",
    avgIf(conversations, conversations > 0) AS "Conversations a subscriber"
FROM
(
    SELECT
        anyIf(channel, channel != '') AS its_channel,
        min(received_at) AS first,
        countIf(received_at >= $__fromTime) AS requests,
        countIf(received_at >= $__fromTime AND kind = 'conversation_closed' AND duplicate_of = toUUID('00000000-0000-0000-0000-000000000000')) AS closed,
        maxIf(conversations_count, received_at >= $__fromTime) AS conversations
    FROM events
    WHERE received_at <= $__toTime AND verdict = 'accepted' AND bothelp_user_id != ''
            AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
            AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
    GROUP BY bothelp_user_id
)
WHERE requests > 0
GROUP BY its_channel
ORDER BY "Active subscribers" DESC
