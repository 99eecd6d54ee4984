SELECT encodeURLComponent(source) AS id, source AS name
FROM (SELECT source FROM events GROUP BY source)
ORDER BY name
