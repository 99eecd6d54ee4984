-- The newest failed deliveries in the selected time, with their subscribers.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen,
    lost AS
    (
        SELECT updated_at, endpoint, replay_id, event_received_at, event_id, attempts, error
        FROM deliveries FINAL
        WHERE $__timeFilter(updated_at) AND state = 'failed'
            AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
        ORDER BY updated_at DESC
        LIMIT 200
    )
SELECT
    updated_at AS "Failed",
    lost.endpoint AS "Endpoint",
    error AS "Error",
    attempts AS "Attempts",
    source AS "Source",
    step AS "Step",
    if(name = '', bothelp_user_id, name) AS "Name",
    if(replay_id = toUUID('00000000-0000-0000-0000-000000000000'), 'live', 'replay') AS "Type",
    toString(event_id) AS "Request",
    lost.endpoint AS "Replay",
    bothelp_user_id AS person_key
FROM lost
LEFT JOIN
(
    SELECT id, source, step, name, bothelp_user_id
    FROM events
    WHERE (received_at, id) IN (SELECT event_received_at, event_id FROM lost)
) AS events ON events.id = lost.event_id
ORDER BY updated_at DESC
