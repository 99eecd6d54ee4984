-- The number of leads who reached each step after the previous one and within the window, and the median time from the
-- first visit of one step to the first visit of the next.
WITH splitByChar(',', decodeURLComponent('${goals:percentencode}')) AS goals
SELECT
    decodeURLComponent(trim(BOTH ' ' FROM goals[k])) AS "Step",
    countIf(reached >= k) AS "Leads",
    "Leads" / nullIf(first_value("Leads") OVER w, 0) AS "Of all leads",
    if(k = 1, NULL, "Leads" / nullIf(lagInFrame("Leads") OVER w, 0)) AS "Of previous step",
    if(k = 1, NULL, quantileExactOrNullIf(0.5)(toUnixTimestamp64Micro(at) - toUnixTimestamp64Micro(previous_at),
        k > 1 AND previous_at > 0 AND at >= previous_at) / 60e6) AS "Median time"
FROM journeys(from = toUnixTimestamp($__fromTime), to = toUnixTimestamp($__toTime),
    source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
    attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
    utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
    utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
ARRAY JOIN arrayEnumerate(visited_at) AS k, visited_at AS at, arrayPushFront(arrayPopBack(visited_at), lead_at) AS previous_at
GROUP BY k
WINDOW w AS (ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
ORDER BY k
