-- The ids of the leads behind a figure of the console: those who reached a number of goals, with their first visit to the first
-- goal between two Unix times in microseconds; with contact = 1 only those with an e-mail address or a phone number.
SELECT DISTINCT bothelp_user_id AS "Subscriber"
FROM events
WHERE $__timeFilter(received_at) AND source = decodeURLComponent('${source:percentencode}')
    AND verdict = 'accepted' AND kind = 'flow' AND subscriber_key GLOBAL IN
(
    SELECT subscriber_key
    FROM journeys(from = toUnixTimestamp($__fromTime), to = toUnixTimestamp($__toTime),
        source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
        attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
        utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
        utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
    WHERE reached >= toUInt8OrZero('${reached:percentencode}') AND (contact OR '${contact:percentencode}' != '1')
        AND toUnixTimestamp64Micro(lead_at) >= toInt64OrZero('${lead_from:percentencode}')
        AND toUnixTimestamp64Micro(lead_at) < toInt64OrZero('${lead_until:percentencode}')
    LIMIT 201
)
ORDER BY "Subscriber"
LIMIT 201
