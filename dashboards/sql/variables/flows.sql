-- Sources with flow webhooks, the busiest first.
SELECT encodeURLComponent(source) AS id, source AS name
FROM events
WHERE $__timeFilter(received_at) AND verdict = 'accepted' AND kind = 'flow'
GROUP BY source
ORDER BY count() DESC
