-- Leads by the week (from Monday) of their first visit to the first goal, and how many have converted since.
WITH (SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}') AS zone
SELECT
    toStartOfWeek(lead_at, 1, zone) AS "Week from",
    count() AS "Leads",
    countIf(contact) AS "With a contact",
    countIf(converted) AS "Converted",
    "Converted" / "Leads" AS "Conversion rate",
    quantileExactOrNullIf(0.5)(toUnixTimestamp64Micro(visited_at[-1]) - toUnixTimestamp64Micro(lead_at), converted) / 60e6 AS "Median time"
FROM journeys(from = toUnixTimestamp($__fromTime), to = toUnixTimestamp($__toTime),
    source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
    attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
    utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
    utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
WHERE lead
GROUP BY "Week from"
ORDER BY "Week from" DESC
