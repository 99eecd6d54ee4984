-- Leads by the UTM content and term of their first or last tagged visit, as the attribution says.
SELECT
    if(utm_content = '', '(none)', utm_content) AS "UTM content",
    if(utm_term = '', '(none)', utm_term) AS "UTM term",
    countIf(lead) AS "Leads",
    countIf(converted) AS "Converted",
    "Converted" / "Leads" AS "Conversion rate",
    if(utm_content = '', '(none)', encodeURLComponent(utm_content)) AS utm_content_key,
    if(utm_term = '', '(none)', encodeURLComponent(utm_term)) AS utm_term_key
FROM journeys(from = toUnixTimestamp($__fromTime), to = toUnixTimestamp($__toTime),
    source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
    attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
    utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
    utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
GROUP BY utm_content, utm_term
HAVING "Leads" > 0
ORDER BY "Leads" DESC, utm_content, utm_term
LIMIT 500
