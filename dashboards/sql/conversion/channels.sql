-- Leads by the messenger of their first visit.
SELECT
    if(channel = '', '(unknown)', channel) AS "Messenger",
    countIf(lead) AS "Leads",
    countIf(lead AND contact) AS "With a contact",
    countIf(converted) AS "Converted",
    "Converted" / "Leads" AS "Conversion rate",
    if(channel = '', '(none)', encodeURLComponent(channel)) AS messenger_key
FROM journeys(from = toUnixTimestamp($__fromTime), to = toUnixTimestamp($__toTime),
    source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
    attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
    utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
    utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
GROUP BY channel
HAVING "Leads" > 0
ORDER BY "Leads" DESC
