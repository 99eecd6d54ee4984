-- Leads by the UTM tags of their first or last tagged visit, as the attribution says.
SELECT
    if(utm_source = '', '(none)', utm_source) AS "UTM source",
    if(utm_medium = '', '(none)', utm_medium) AS "UTM medium",
    if(utm_campaign = '', '(none)', utm_campaign) AS "UTM campaign",
    countIf(lead) AS "Leads",
    countIf(lead AND contact) AS "With a contact",
    countIf(converted) AS "Converted",
    "Converted" / "Leads" AS "Conversion rate",
    quantileExactOrNullIf(0.5)(toUnixTimestamp64Micro(visited_at[-1]) - toUnixTimestamp64Micro(lead_at), converted) / 60e6 AS "Median time",
    if(utm_source = '', '(none)', encodeURLComponent(utm_source)) AS utm_source_key,
    if(utm_medium = '', '(none)', encodeURLComponent(utm_medium)) AS utm_medium_key,
    if(utm_campaign = '', '(none)', encodeURLComponent(utm_campaign)) AS utm_campaign_key
FROM journeys(from = toUnixTimestamp($__fromTime), to = toUnixTimestamp($__toTime),
    source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
    attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
    utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
    utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
GROUP BY utm_source, utm_medium, utm_campaign
HAVING "Leads" > 0
ORDER BY "Leads" DESC, utm_source, utm_medium, utm_campaign
LIMIT 500
