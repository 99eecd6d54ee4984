-- Leads without a UTM tag in any request, and their share of all leads.
SELECT
    countIf(lead AND NOT tagged) AS "Leads without tags",
    countIf(lead AND NOT tagged) / nullIf(countIf(lead), 0) AS "Of all leads"
FROM journeys(from = toUnixTimestamp($__fromTime), to = toUnixTimestamp($__toTime),
    source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
    attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
    utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
    utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
