SELECT
    if(utm_source = '', '(none)', encodeURLComponent(utm_source)) AS id,
    if(utm_source = '', '(none)', utm_source) AS name
FROM events
WHERE $__timeFilter(received_at) AND source = decodeURLComponent('${source:percentencode}') AND verdict = 'accepted'
GROUP BY utm_source
ORDER BY count() DESC
LIMIT 1000
