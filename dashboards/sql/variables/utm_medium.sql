SELECT
    if(utm_medium = '', '(none)', encodeURLComponent(utm_medium)) AS id,
    if(utm_medium = '', '(none)', utm_medium) AS name
FROM events
WHERE $__timeFilter(received_at) AND source = decodeURLComponent('${source:percentencode}') AND verdict = 'accepted'
GROUP BY utm_medium
ORDER BY count() DESC
LIMIT 1000
