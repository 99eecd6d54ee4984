-- The newest requests.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    received_at AS "Received",
    source AS "Source",
    step AS "Step",
    kind AS "Kind",
    verdict AS "Result",
    if(name = '', bothelp_user_id, name) AS "Name",
    channel AS "Messenger",
    decode_error AS "Unreadable",
    toString(id) AS "Request",
    trace_id AS "Trace",
    bothelp_user_id AS person_key
FROM events
WHERE $__timeFilter(received_at)
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
ORDER BY received_at DESC
LIMIT 200
