-- The deliveries of the subscriber's requests in the selected time, and their state.
WITH
    decodeURLComponent(decodeURLComponent('${subscriber:percentencode}')) AS person,
    mine AS
    (
        SELECT id AS event, received_at, source, step
        FROM events
        WHERE $__timeFilter(received_at) AND bothelp_user_id = person AND person != '' AND verdict = 'accepted'
    )
SELECT
    mine.received_at AS "Received",
    concat(source, if(step = '', '', concat(' / ', step))) AS "Source",
    toString(endpoint) AS "Endpoint",
    last.1 AS "State",
    last.2 AS "Attempts",
    if(last.3 = 0, '', toString(last.3)) AS "Status",
    last.4 AS "Error",
    if(last.5 <= toDateTime(0), NULL, last.5) AS "Next attempt",
    if(replay_id = toUUID('00000000-0000-0000-0000-000000000000'), 'live', 'replay') AS "Type",
    toString(event_id) AS "Request"
FROM
(
    SELECT replay_id, endpoint, event_id, argMax((toString(state), attempts, status_code, error, next_at), version) AS last
    FROM deliveries
    WHERE event_id IN (SELECT event FROM mine)
    GROUP BY replay_id, endpoint, event_id
) AS delivery
INNER JOIN mine ON mine.event = delivery.event_id
ORDER BY mine.received_at, endpoint
LIMIT 2000
