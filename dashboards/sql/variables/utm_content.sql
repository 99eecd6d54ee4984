SELECT
    if(utm_content = '', '(none)', encodeURLComponent(utm_content)) AS id,
    if(utm_content = '', '(none)', utm_content) AS name
FROM events
WHERE $__timeFilter(received_at) AND source = decodeURLComponent('${source:percentencode}') AND verdict = 'accepted'
GROUP BY utm_content
ORDER BY count() DESC
LIMIT 1000
