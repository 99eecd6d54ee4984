-- The configured sources, without the invented ones of rejected requests.
SELECT
    if(source = '', '(none)', encodeURLComponent(source)) AS id,
    if(source = '', '(none)', source) AS name
FROM events
WHERE verdict != 'unknown_source' AND NOT (verdict = 'malformed' AND source = '')
GROUP BY source
ORDER BY name
