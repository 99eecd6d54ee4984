-- Subscribers with a request in this time by messenger, and the average number of their conversations.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    if(its_channel = '', '(unknown)', its_channel) AS "Messenger",
    count() AS "Active subscribers",
    sum(closed) AS "Conversations closed",
    sum(viewed) AS "Profiles viewed",
    avgIf(conversations, conversations > 0) AS "Conversations per subscriber"
FROM
(
    SELECT
        anyIf(channel, channel != '') AS its_channel,
        countIf(kind = 'conversation_closed' AND duplicate_of = toUUID('00000000-0000-0000-0000-000000000000')) AS closed,
        countIf(kind = 'user_profile_viewed' AND duplicate_of = toUUID('00000000-0000-0000-0000-000000000000')) AS viewed,
        max(conversations_count) AS conversations
    FROM events
    WHERE $__timeFilter(received_at) AND verdict = 'accepted' AND subscriber_key != 0
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
        AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
    GROUP BY subscriber_key
)
GROUP BY its_channel
ORDER BY "Active subscribers" DESC
