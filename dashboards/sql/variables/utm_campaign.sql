SELECT
    if(utm_campaign = '', '(none)', encodeURLComponent(utm_campaign)) AS id,
    if(utm_campaign = '', '(none)', utm_campaign) AS name
FROM events
WHERE $__timeFilter(received_at) AND source = decodeURLComponent('${source:percentencode}') AND verdict = 'accepted'
GROUP BY utm_campaign
ORDER BY count() DESC
LIMIT 1000
