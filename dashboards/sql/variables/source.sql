SELECT DISTINCT encodeURLComponent(source) AS id, source AS name FROM events ORDER BY name
