SELECT
    if(utm_term = '', '(none)', encodeURLComponent(utm_term)) AS id,
    if(utm_term = '', '(none)', utm_term) AS name
FROM events
WHERE $__timeFilter(received_at) AND source = decodeURLComponent('${source:percentencode}') AND verdict = 'accepted'
GROUP BY utm_term
ORDER BY count() DESC
LIMIT 1000
