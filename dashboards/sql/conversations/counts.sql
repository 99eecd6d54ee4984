-- Subscribers by the number of conversations that BotHelp reported.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    multiIf(n = 0, 'none', n = 1, '1', n = 2, '2', n <= 5, '3 to 5', n <= 10, '6 to 10', n <= 20, '11 to 20', 'more than 20') AS "Conversations",
    count() AS "Subscribers"
FROM
(
    SELECT max(conversations_count) AS n
    FROM events
    WHERE $__timeFilter(received_at) AND conversations_count IS NOT NULL AND verdict = 'accepted' AND subscriber_key != 0
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
        AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
    GROUP BY subscriber_key
)
GROUP BY "Conversations"
ORDER BY min(n)
