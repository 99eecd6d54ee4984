-- Leads, those of them whose e-mail address or phone is known, and those who converted; before that the same of the
-- period before.
SELECT *
FROM
(
    SELECT
        $__fromTime AS time,
        countIf(lead) AS "Leads",
        countIf(lead AND contact) AS "With a contact",
        countIf(converted) AS "Converted",
        countIf(converted) / nullIf(countIf(lead), 0) AS "Conversion rate"
    FROM journeys(from = $__fromTime, to = $__toTime,
        source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
        attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
        utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
        utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
    UNION ALL
    SELECT $__fromTime - ($__toTime - $__fromTime), countIf(lead), countIf(lead AND contact), countIf(converted), countIf(converted) / nullIf(countIf(lead), 0)
    FROM journeys(from = $__fromTime - ($__toTime - $__fromTime), to = $__fromTime,
        source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
        attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
        utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
        utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
)
ORDER BY time
