-- Leads by the UTM tags of their first or last tagged visit, as the attribution says.
WITH splitByChar(',', tags) AS encoded
SELECT
    if(encoded[1] = '', '(none)', decodeURLComponent(encoded[1])) AS "UTM source",
    if(encoded[2] = '', '(none)', decodeURLComponent(encoded[2])) AS "UTM medium",
    if(encoded[3] = '', '(none)', decodeURLComponent(encoded[3])) AS "UTM campaign",
    countIf(lead) AS "Leads",
    countIf(lead AND contact) AS "With a contact",
    countIf(converted) AS "Converted",
    "Converted" / "Leads" AS "Conversion rate",
    quantileExactOrNullIf(0.5)(toUnixTimestamp64Micro(visited_at[-1]) - toUnixTimestamp64Micro(lead_at), converted) / 60e6 AS "Median time",
    if(encoded[1] = '', '(none)', encoded[1]) AS utm_source_key,
    if(encoded[2] = '', '(none)', encoded[2]) AS utm_medium_key,
    if(encoded[3] = '', '(none)', encoded[3]) AS utm_campaign_key
FROM journeys(from = toUnixTimestamp($__fromTime), to = toUnixTimestamp($__toTime),
    source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
    attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
    utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
    utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
GROUP BY tags
HAVING "Leads" > 0
ORDER BY "Leads" DESC, arrayMap(t -> decodeURLComponent(t), encoded)
LIMIT 500
