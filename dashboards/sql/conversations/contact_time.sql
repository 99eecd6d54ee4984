-- Subscribers by the time from their first to their last contact, as BotHelp reported it.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    multiIf(span < 3600, '< 1 hour', span < 86400, '< 1 day', span < 7 * 86400, '< 7 days', span < 30 * 86400, '< 30 days', span < 90 * 86400, '< 90 days', '≥ 90 days') AS "Time",
    count() AS "Subscribers"
FROM
(
    SELECT dateDiff('second', min(first_contact_at), max(last_contact_at)) AS span
    FROM events
    WHERE $__timeFilter(received_at) AND first_contact_at IS NOT NULL AND last_contact_at IS NOT NULL
        AND verdict = 'accepted' AND subscriber_key != 0
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
        AND (decodeURLComponent('${channel:percentencode}') = '*' OR has(chosen('${channel:percentencode}'), channel))
    GROUP BY subscriber_key
)
WHERE span >= 0
GROUP BY "Time"
ORDER BY min(span)
