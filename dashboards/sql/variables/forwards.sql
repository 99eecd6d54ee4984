-- Sources with external requests.
SELECT DISTINCT if(source = '', '(none)', encodeURLComponent(source)) AS id, if(source = '', '(none)', source) AS name
FROM events
WHERE received_at >= $__fromTime - INTERVAL 1 HOUR AND received_at <= $__toTime
    AND events.id IN (SELECT event_id FROM attempts WHERE $__timeFilter(started_at) AND kind = 'forward')
ORDER BY name
