-- The subscriber's accepted requests in the selected time and their deliveries, in order of time.
WITH
    decodeURLComponent(decodeURLComponent('${subscriber:percentencode}')) AS person,
    mine AS
    (
        SELECT id AS event, received_at, source, step, kind, utm_source, utm_medium, utm_campaign, decode_error, duplicate_of, trace_id
        FROM events
        WHERE $__timeFilter(received_at) AND bothelp_user_id = person AND person != '' AND verdict = 'accepted'
    )
SELECT
    time AS "When",
    if(row_number() OVER line = 1, NULL, dateDiff('millisecond', lagInFrame(time) OVER line, time) / 1000) AS "After",
    what AS "Kind",
    place AS "Source or endpoint",
    result AS "Result",
    details AS "Details",
    toString(event) AS "Request",
    trace_id AS "Trace"
FROM
(
    SELECT
        received_at AS time,
        toString(kind) AS what,
        concat(source, if(step = '', '', concat(' / ', step))) AS place,
        'received' AS result,
        arrayStringConcat(arrayFilter(t -> t != '',
            [
                if(utm_source = '' AND utm_medium = '' AND utm_campaign = '',
                    '', concat('UTM ', utm_source, ' / ', utm_medium, ' / ', utm_campaign)),
                if(toUInt128(duplicate_of) = 0, '', 'sent again by BotHelp'),
                toString(decode_error)
            ]), '; ') AS details,
        event,
        trace_id
    FROM mine
    UNION ALL
    SELECT
        updated,
        'delivery',
        if(replay_id = toUUID('00000000-0000-0000-0000-000000000000'), toString(endpoint), concat(endpoint, ' (replay)')),
        last.1,
        concat(if(last.2 < 2, '', concat(toString(last.2), ' attempts; ')), last.3),
        event_id,
        ''
    FROM
    (
        SELECT replay_id, endpoint, event_id, max(updated_at) AS updated, argMax((toString(state), attempts, error), version) AS last
        FROM deliveries
        WHERE event_id IN (SELECT event FROM mine)
        GROUP BY replay_id, endpoint, event_id
    )
)
WINDOW line AS (ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
ORDER BY time
LIMIT 2000
