-- Endpoints that are or were configured, and endpoints of replays.
SELECT DISTINCT encodeURLComponent(endpoint) AS id, endpoint AS name
FROM
(
    SELECT endpoint FROM endpoint_states
    UNION ALL
    SELECT endpoint FROM replays
    UNION ALL
    SELECT DISTINCT toString(endpoint) FROM deliveries
)
WHERE endpoint != ''
ORDER BY name
