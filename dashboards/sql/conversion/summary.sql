-- Leads, leads with an e-mail address or a phone number, and converted leads; before that the same of the preceding period.
-- A value that cannot be compared is infinite there, and Grafana shows no percentage for it: zero, and every value of a period
-- that began before the source's first request, which the note says.
WITH
    $__fromTime - ($__toTime - $__fromTime) AS before,
    (
        SELECT count() > 0
        FROM
        (
            SELECT 1
            FROM events
            WHERE received_at <= $__fromTime - ($__toTime - $__fromTime) AND source = decodeURLComponent('${source:percentencode}')
                AND verdict = 'accepted' AND kind = 'flow' AND subscriber_key != 0
            LIMIT 1
        )
    ) AS known,
    n -> if(known AND n > 0, n, inf) AS comparable
SELECT *
FROM
(
    SELECT
        $__fromTime AS time,
        toFloat64(countIf(lead)) AS "Leads",
        toFloat64(countIf(lead AND contact)) AS "With a contact",
        toFloat64(countIf(converted)) AS "Converted",
        countIf(converted) / nullIf(countIf(lead), 0) AS "Conversion rate",
        '' AS "Note"
    FROM journeys(from = toUnixTimestamp($__fromTime), to = toUnixTimestamp($__toTime),
        source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
        attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
        utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
        utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
    UNION ALL
    SELECT
        before,
        comparable(toFloat64(countIf(lead))),
        comparable(toFloat64(countIf(lead AND contact))),
        comparable(toFloat64(countIf(converted))),
        comparable(countIf(converted) / countIf(lead)),
        if(known, '', 'no earlier figures')
    FROM journeys(from = toUnixTimestamp($__fromTime) - ($__toTime - $__fromTime), to = toUnixTimestamp($__fromTime),
        source = '${source:percentencode}', goals = '${goals:percentencode}', window_days = '${window_days:percentencode}',
        attribution = '${attribution:percentencode}', channel = '${channel:percentencode}',
        utm_source = '${utm_source:percentencode}', utm_medium = '${utm_medium:percentencode}', utm_campaign = '${utm_campaign:percentencode}',
        utm_content = '${utm_content:percentencode}', utm_term = '${utm_term:percentencode}')
)
ORDER BY time
