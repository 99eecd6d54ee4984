-- Conversations that operators closed and profiles that they viewed per day, without BotHelp's retries.
WITH
    (SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}') AS zone,
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    toStartOfDay(received_at, zone) AS time,
    countIf(kind = 'conversation_closed') AS "Conversations closed",
    countIf(kind = 'user_profile_viewed') AS "Profiles viewed"
FROM events
WHERE $__timeFilter(received_at) AND kind IN ('conversation_closed', 'user_profile_viewed') AND duplicate_of = toUUID('00000000-0000-0000-0000-000000000000')
    AND verdict = 'accepted' AND subscriber_key != 0
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
    AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
GROUP BY time
ORDER BY time
