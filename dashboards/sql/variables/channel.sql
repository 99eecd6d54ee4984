SELECT
    if(channel = '', '(none)', encodeURLComponent(channel)) AS id,
    if(channel = '', '(none)', channel) AS name
FROM events
WHERE $__timeFilter(received_at) AND source = decodeURLComponent('${source:percentencode}') AND verdict = 'accepted'
GROUP BY channel
ORDER BY count() DESC
LIMIT 1000
