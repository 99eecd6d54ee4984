-- Leads by the day of their first visit to the first goal (the hour, for three days or less), and the share of them that has
-- converted since.
WITH
    (SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}') AS zone,
    $__toTime - $__fromTime <= 3 * 86400 AS short
SELECT
    if(short, toStartOfHour(lead_at, zone), toStartOfDay(lead_at, zone)) AS time,
    count() AS "Leads",
    countIf(converted) AS "Converted",
    countIf(converted) / count() AS "Conversion rate"
FROM journeys(from = toUnixTimestamp($__fromTime), to = toUnixTimestamp($__toTime),
    source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
    attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
    utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
    utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
WHERE lead
GROUP BY time
ORDER BY time
